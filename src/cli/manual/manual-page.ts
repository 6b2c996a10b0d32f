/** Builds manual pages for man(1) from the help of a program. */
import { entriesOf, firstWord, type HelpEntry, type HelpText, type NamedProgram } from '../help-text.ts';

export interface PageFacts {
  readonly version: string;
  /** The date of the release, like 2026-11-30. */
  readonly date: string;
}

/** A program and its sub-commands, keyed by the words that lead there; the first entry is the program. */
export function programPage(
  { name, summary }: Pick<NamedProgram, 'name' | 'summary'>,
  help: ReadonlyMap<string, HelpText>,
  facts: PageFacts,
): string {
  const own = help.get(name) ?? { usage: name, about: [], sections: [] };
  const below = [...help].filter(([path]) => path !== name);
  const lines = [
    ...heading(`dragonfly-${name}`, summary, facts),
    '.SH SYNOPSIS',
    ...synopsis(own),
    ...below.filter(([, { sections }]) => !hasCommands(sections)).flatMap(([, one]) => ['.br', ...synopsis(one)]),
    '.SH DESCRIPTION',
    ...own.about.flatMap((paragraph) => ['.PP', ...text(paragraph)]),
    ...sectionsOf(own),
    ...below.flatMap(([path, one]) => [
      `.SH ${quoted(path.toUpperCase())}`,
      ...synopsis(one),
      ...one.about.flatMap((paragraph) => ['.PP', ...text(paragraph)]),
      ...entriesOf(one, 'Arguments').flatMap(item),
      ...entriesOf(one, 'Options')
        .filter(({ term }) => !/--help\b/.test(term))
        .flatMap(item),
    ]),
    '.SH EXIT STATUS',
    ...text('0 when it did what was asked; errors say the code of their kind, as docs/errors.md lists them.'),
    '.SH SEE ALSO',
    '.BR dragonfly (1)',
  ];
  return `${lines.join('\n')}\n`;
}

/** The page of the entry point, which lists the programs. */
export function overviewPage(programs: readonly Pick<NamedProgram, 'name' | 'summary'>[], facts: PageFacts): string {
  const lines = [
    ...heading('dragonfly', 'container images, files and AI models from node to node', facts),
    '.SH SYNOPSIS',
    '.B dragonfly',
    '.I program',
    '.RI [ arguments ]',
    '.SH PROGRAMS',
    ...programs.flatMap(({ name, summary }) => ['.TP', `.BR dragonfly\\-${escaped(name)} (1)`, ...text(summary)]),
    '.SH OPTIONS',
    ...item({ term: '--help', text: 'display help' }),
    ...item({ term: '--version', text: 'output the version number' }),
  ];
  return `${lines.join('\n')}\n`;
}

function heading(name: string, summary: string, { version, date }: PageFacts): string[] {
  return [
    `.TH ${quoted(name.toUpperCase())} 1 ${quoted(date)} ${quoted(`Dragonfly ${version}`)} ${quoted('Dragonfly')}`,
    '.SH NAME',
    `${escaped(name)} \\- ${escaped(summary)}`,
  ];
}

function hasCommands(sections: HelpText['sections']): boolean {
  return sections.some(({ heading: title, entries }) => title === 'Commands' && entries.length > 0);
}

/** Arguments, options, commands, and any other section of the help, under its own heading. */
function sectionsOf(help: HelpText): string[] {
  return help.sections.flatMap(({ heading: title }) => {
    const entries = entriesOf(help, title).filter(({ term }) => !/--help\b/.test(term));
    return entries.length === 0 ? [] : [`.SH ${quoted(title.toUpperCase())}`, ...entries.flatMap(item)];
  });
}

function synopsis({ usage }: HelpText): string[] {
  const name = usage.startsWith('dragonfly ') ? usage.split(' ').slice(0, 2).join(' ') : firstWord(usage);
  return [`.B ${escaped(name)}`, ...text(usage.slice(name.length).trim())];
}

function item({ term, text: meaning }: HelpEntry): string[] {
  return ['.TP', `.B ${escaped(term)}`, ...text(meaning)];
}

function text(paragraph: string): string[] {
  return paragraph === '' ? [] : [escaped(paragraph)];
}

/** A backslash begins a roff request, and so does a dot or a quote at the start of a line; a bare hyphen may be printed as a different character. */
function escaped(line: string): string {
  const safe = line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/[^\u{20}-\u{7e}]/gu, (sign) => `\\[u${codeOf(sign)}]`);
  return /^[.']/.test(safe) ? `\\&${safe}` : safe;
}

/** At least four digits. */
function codeOf(sign: string): string {
  return (sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

function quoted(word: string): string {
  return `"${escaped(word).replaceAll('"', '""')}"`;
}
