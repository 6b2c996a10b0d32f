/**
 * Runs the mixes of parts of ours and of the original, and writes what came out into a table of docs/migrate.md.
 *
 *   node bench/interop/run.ts --binaries DIR [--mix ours,original,ours,original] [--tls] [--write] [--keep]
 *
 * DIR holds `manager`, `scheduler`, `dfdaemon`, `dfget` of the original. A mix names manager, scheduler, seed peer, peers;
 * without --mix all sixteen run, one after another; --tls: mutual TLS at every gRPC port; --keep leaves what each part wrote. Needs nginx, redis-server and MariaDB.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { checks } from './checks.ts';
import { clusterDirectory } from './cluster-directory.ts';
import { allMixes, MixedCluster, parseMix, type Mix } from './mixed-cluster.ts';

interface Outcome {
  readonly check: string;
  readonly copies?: number;
  /** Why it is no success. */
  readonly problem?: string;
}

const documentPath = new URL('../../docs/migrate.md', import.meta.url);

const { values } = parseArgs({
  options: {
    binaries: { type: 'string' },
    mix: { type: 'string', multiple: true },
    tls: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
if (values.binaries === undefined) throw new Error('--binaries: the directory with the programs of the original');

const mixes = values.mix?.map(parseMix) ?? allMixes();
const rows: string[] = [];
for (const mix of mixes) {
  const outcomes = await runMix(mix, values.binaries);
  rows.push(row(mix, outcomes));
  console.log(rows.at(-1));
}
const table = [header(), ...rows].join('\n');
console.log(`\n${table}`);
if (values.write) await writeTable(table);
process.exitCode = rows.some((line) => line.includes('✗')) ? 1 : 0;

async function runMix(mix: Mix, binaries: string): Promise<Outcome[]> {
  await using directory = await clusterDirectory('df-interop-', values.keep);
  const outcomes: Outcome[] = [];
  try {
    await using cluster = await MixedCluster.start({ mix, binaries, directory: directory.path, tls: values.tls });
    for (const { name, maxCopies, run } of checks) {
      const outcome = await run(cluster).then(
        (copies) => ({
          check: name,
          copies,
          ...(copies > (maxCopies ?? Infinity) ? { problem: 'too many copies' } : {}),
        }),
        (error: unknown) => ({ check: name, problem: (error as Error).message }),
      );
      outcomes.push(outcome);
      console.log(new Date().toISOString(), Object.values(mix).join(','), JSON.stringify(outcome));
    }
  } catch (error) {
    console.log(Object.values(mix).join(','), error);
  }
  return outcomes;
}

function header(): string {
  const columns = ['manager', 'scheduler', 'seed peer', 'peers', ...checks.map(({ name }) => name)];
  return `${line(columns)}\n${line(columns.map(() => '---'))}`;
}

function row({ manager, scheduler, seed, peers }: Mix, outcomes: readonly Outcome[]): string {
  const cells = checks.map(({ name }) => {
    const outcome = outcomes.find(({ check }) => check === name);
    const copies = outcome?.copies === undefined ? '' : outcome.copies.toFixed(2);
    return outcome && outcome.problem === undefined ? copies : `✗ ${copies}`.trim();
  });
  return line([manager, scheduler, seed, peers, ...cells]);
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

async function writeTable(text: string): Promise<void> {
  const document = await readFile(documentPath, 'utf8');
  const marked = /(<!-- mixes -->\n)[^]*(\n<!-- end of mixes -->)/;
  if (!marked.test(document)) throw new Error('docs/migrate.md has no place for the table');
  await writeFile(
    documentPath,
    document.replace(marked, (_all, begin: string, end: string) => `${begin}\n${text}\n${end}`),
  );
}
