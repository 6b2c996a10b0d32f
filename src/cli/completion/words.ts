/**
 * What can be written where on the command line: sub-commands and options of every program, with what they mean, read from the
 * help that each makes of its own definitions.
 */
import { Writable } from 'node:stream';
import type { Command, CommandIo } from '../../core/process/command.ts';

export interface Word {
  readonly word: string;
  readonly text: string;
}

/** By the words before, as in `dfctl task`; of the entry point itself under the empty name. */
export type Words = ReadonlyMap<string, readonly Word[]>;

export interface NamedProgram {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Sub-commands of sub-commands; no program goes deeper. */
const maxDepth = 3;

export async function wordsOf(programs: readonly NamedProgram[], io: CommandIo): Promise<Words> {
  const words = new Map<string, Word[]>();
  words.set('', [
    ...programs.map(({ name, summary }) => ({ word: name, text: summary })),
    { word: '--help', text: 'display help' },
    { word: '--version', text: 'output the version number' },
  ]);
  for (const { name, load } of programs) {
    const command = await load();
    await addWords([name], async (argv) => helpOf(command, argv, io), words);
  }
  return words;
}

async function addWords(
  path: readonly string[],
  help: (argv: readonly string[]) => Promise<string>,
  words: Map<string, Word[]>,
): Promise<void> {
  const { commands, options } = readHelp(await help([...path.slice(1), '--help']));
  words.set(path.join(' '), [...commands, ...options]);
  if (path.length >= maxDepth) return;
  for (const { word } of commands) await addWords([...path, word], help, words);
}

async function helpOf(command: Command, argv: readonly string[], io: CommandIo): Promise<string> {
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

/** `  -o, --output <path>   what it means`, with further lines of the meaning below it, under a heading of its own. */
export function readHelp(help: string): { readonly commands: readonly Word[]; readonly options: readonly Word[] } {
  const commands: Word[] = [];
  const options: Word[] = [];
  let heading = '';
  for (const line of help.split('\n')) {
    if (/^\w[\w ]*:$/.test(line)) heading = line;
    const [, term, text = ''] = /^ {2}(\S.*?)(?: {2,}(.*))?$/.exec(line) ?? [];
    if (term === undefined) continue;
    // The commands that commander adds help to say nothing that --help does not.
    if (heading === 'Commands:' && !term.startsWith('help'))
      commands.push({ word: term.split(/[ |]/)[0] ?? term, text });
    else if (heading === 'Options:')
      for (const word of term.match(/(?<![\w-])--?[\w-]+/g) ?? []) options.push({ word, text });
  }
  return { commands, options };
}
