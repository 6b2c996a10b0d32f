/** Parses the help that every program generates from its own definitions, so that completion and manual pages always match it. */
import { Writable } from 'node:stream';
import type { Command, CommandIo } from '../core/process/command.ts';

export interface NamedProgram {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** A term such as `-o, --output <path>`, and its description. */
export interface HelpEntry {
  readonly term: string;
  readonly text: string;
}

export interface HelpSection {
  /** Options, Commands, Arguments, or a custom heading. */
  readonly heading: string;
  readonly entries: readonly HelpEntry[];
}

export interface HelpText {
  readonly usage: string;
  /** Paragraphs. */
  readonly about: readonly string[];
  readonly sections: readonly HelpSection[];
}

/** How deep sub-commands nest; no program has more levels. */
const maxDepth = 3;

/** The help of a program and all its sub-commands, keyed by the words that lead there, as in `dfctl task`. */
export async function helpOfAll({ name, load }: NamedProgram, io: CommandIo): Promise<Map<string, HelpText>> {
  const command = await load();
  const found = new Map<string, HelpText>();
  const add = async (path: readonly string[]): Promise<void> => {
    const help = parseHelp(await printed(command, [...path.slice(1), '--help'], io));
    found.set(path.join(' '), help);
    if (path.length >= maxDepth) return;
    for (const { term } of entriesOf(help, 'Commands')) await add([...path, firstWord(term)]);
  };
  await add([name]);
  return found;
}

/** Leaves out the help commands that commander adds, because --help says the same. */
export function entriesOf({ sections }: HelpText, heading: string): HelpEntry[] {
  return sections
    .filter((section) => section.heading === heading)
    .flatMap(({ entries }) => entries)
    .filter(({ term }) => heading !== 'Commands' || firstWord(term) !== 'help');
}

/** The name of a command, without its alias and arguments. */
export function firstWord(term: string): string {
  return term.split(/[ |]/)[0] ?? term;
}

async function printed(command: Command, argv: readonly string[], io: CommandIo): Promise<string> {
  let text = '';
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  await command(argv, { ...io, stdout, stderr: stdout });
  return text;
}

/** A line indented by two spaces begins an entry of the current section; a line indented further continues its text. */
export function parseHelp(help: string): HelpText {
  const usage: string[] = [];
  const about: string[] = [];
  const sections: { heading: string; entries: { term: string; text: string }[] }[] = [];
  let begins = true;
  for (const line of help.split('\n')) {
    const section = sections.at(-1);
    const heading = /^(\w[\w ]*):$/.exec(line)?.[1];
    const [, indent = '', text = ''] = /^( *)(.*)$/.exec(line) ?? [];
    if (line.startsWith('Usage: ')) usage.push(line.slice('Usage: '.length));
    else if (heading !== undefined) sections.push({ heading, entries: [] });
    else if (text === '') begins = true;
    else if (!section) {
      if (begins || about.length === 0) about.push(text);
      else about.push(`${about.pop() ?? ''} ${text}`);
      begins = false;
    } else if (indent.length === 2) {
      const [, term = text, meaning = ''] = /^(\S.*?)(?: {2,}(.*))?$/.exec(text) ?? [];
      section.entries.push({ term, text: meaning });
    } else if (indent.length > 2) {
      const entry = section.entries.at(-1);
      if (entry) entry.text = entry.text === '' ? text : `${entry.text} ${text}`;
    }
  }
  return { usage: usage.join(' '), about, sections };
}
