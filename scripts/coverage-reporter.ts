/** Reporter of node:test for scripts/coverage.ts: a table of what the tests have run, by folder, and the tests that failed. */
import { dirname, relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

interface Covered {
  total: number;
  covered: number;
}

interface Folder {
  readonly lines: Covered;
  readonly branches: Covered;
  readonly functions: Covered;
}

// oxlint-disable-next-line import/no-default-export -- node:test takes a reporter as the default export of its module.
export default async function* coverageReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type === 'test:fail' && isItsOwn(event.data.details.error)) {
      yield `failed: ${event.data.file}: ${event.data.name}\n`;
    }
    if (event.type !== 'test:coverage') continue;
    const { workingDirectory, files } = event.data.summary;
    const folders = new Map<string, Folder>();
    const add = (name: string, file: (typeof files)[number]): void => {
      const folder = folders.get(name) ?? { lines: none(), branches: none(), functions: none() };
      folders.set(name, folder);
      count(folder.lines, file.totalLineCount, file.coveredLineCount);
      count(folder.branches, file.totalBranchCount, file.coveredBranchCount);
      count(folder.functions, file.totalFunctionCount, file.coveredFunctionCount);
    };
    for (const file of files) add(dirname(relative(workingDirectory, file.path)), file);
    const rows = [...folders].sort(([one], [other]) => (one < other ? -1 : 1));
    for (const file of files) add('all', file);
    yield table([...rows, ['all', folders.get('all') ?? { lines: none(), branches: none(), functions: none() }]]);
  }
}

/** A group or parent fails with its children, which are named themselves. */
function isItsOwn(error: Error & { failureType?: string }): boolean {
  return error.failureType !== 'subtestsFailed';
}

function none(): Covered {
  return { total: 0, covered: 0 };
}

function count(sum: Covered, total: number, covered: number): void {
  sum.total += total;
  sum.covered += covered;
}

function table(rows: readonly (readonly [string, Folder])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  const line = (name: string, ...columns: string[]): string =>
    `${name.padEnd(width)}${columns.map((text) => text.padStart(11)).join('')}\n`;
  const body = rows.map(([name, { lines, branches, functions }]) =>
    line(name, String(lines.total), percent(lines), percent(branches), percent(functions)),
  );
  return [line('folder', 'lines', 'lines %', 'branches %', 'functions %'), ...body].join('');
}

function percent({ total, covered }: Covered): string {
  return total === 0 ? '-' : ((100 * covered) / total).toFixed(1);
}
