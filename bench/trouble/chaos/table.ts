/** The table of all cells in the documentation: a run renews the rows of the cells it has run, and leaves the others. */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';

export interface Row {
  readonly state: string;
  readonly when: string;
  readonly part: string;
  readonly fault: string;
  readonly more: readonly number[];
  readonly ended: string;
  readonly copies: string;
}

const begin = '<!-- chaos: begin -->';
const end = '<!-- chaos: end -->';
const head = [
  '| held | when | part | fault | s more | ended | origin copies | run, load |',
  '| --- | --- | --- | --- | --- | --- | --- | --- |',
];

/** @param path of a page with the two marks. */
export function writeRows(path: string, rows: readonly Row[]): void {
  const page = readFileSync(path, 'utf8');
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${path} has no place for the table`);
  const known = new Map<string, string>();
  for (const line of page.slice(from, to).split('\n').slice(4)) if (line.startsWith('|')) known.set(keyOf(line), line);
  for (const row of rows) known.set(keyOf(lineOf(row)), lineOf(row));
  const lines = [...known.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  writeFileSync(path, `${page.slice(0, from)}${[begin, '', ...head, ...lines, ''].join('\n')}\n${page.slice(to)}`);
}

function lineOf({ state, when, part, fault, more, ended, copies }: Row): string {
  const times = more.map((one) => one.toFixed(2)).join(' ');
  const run = `${new Date().toISOString().slice(0, 10)}, ${(loadavg()[0] ?? 0).toFixed(0)}`;
  return `| ${[state, when, part, fault, times, ended, copies, run].join(' | ')} |`;
}

/** Cells as prettier leaves them, without their padding. */
function keyOf(line: string): string {
  const [, ...cells] = line.split('|').map((cell) => cell.trim());
  return cells.slice(0, 4).join(' | ');
}
