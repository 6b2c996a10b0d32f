/** The words of the command line: sub-commands and options of every program, with their descriptions. */
import type { CommandIo } from '../../core/process/command.ts';
import { entriesOf, firstWord, helpOfAll, type HelpText, type NamedProgram } from '../help-text.ts';

export interface Word {
  readonly word: string;
  readonly text: string;
}

/** Keyed by the preceding words, as in `dfctl task`; the entry point has the empty key. */
export type Words = ReadonlyMap<string, readonly Word[]>;

export async function wordsOf(programs: readonly NamedProgram[], io: CommandIo): Promise<Words> {
  const words = new Map<string, Word[]>();
  words.set('', [
    ...programs.map(({ name, summary }) => ({ word: name, text: summary })),
    { word: '--help', text: 'display help' },
    { word: '--version', text: 'output the version number' },
  ]);
  for (const program of programs)
    for (const [path, help] of await helpOfAll(program, io)) words.set(path, wordsIn(help));
  return words;
}

/** Commands come first; each spelling of an option is a word. */
export function wordsIn(help: HelpText): Word[] {
  const commands = entriesOf(help, 'Commands').map(({ term, text }) => ({ word: firstWord(term), text }));
  const options = entriesOf(help, 'Options').flatMap(({ term, text }) =>
    (term.match(/(?<![\w-])--?[\w-]+/g) ?? []).map((word) => ({ word, text })),
  );
  return [...commands, ...options];
}
