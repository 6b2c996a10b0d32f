/**
 * Runs the mixes of parts of ours and of the original, and writes what came out into a table of docs/migrate.md.
 *
 *   node bench/interop/run.ts --binaries DIR [--mix ours,original,ours,original] [--check proxy] [--address IP] [--tls] [--quic] [--blobs digest|url] [--write] [--keep]
 *
 * DIR holds `manager`, `scheduler`, `dfdaemon`, `dfget` of the original. A mix names manager, scheduler, seed peer, peers;
 * without --mix all sixteen run, one after another, with every check unless --check names some; --address: of the origin, since a manager of the original asks no registry on loopback; --tls: mutual TLS at every gRPC port that daemons of the mix can reach then; --quic: daemons of the original ask for pieces by QUIC; --blobs: proxies count blobs of registries so, and nobody who pulls says anything about it; --keep leaves what each part wrote. Needs nginx, redis-server and MariaDB.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { checks } from './checks.ts';
import { clusterDirectory } from './cluster-directory.ts';
import { loopback } from './configuration.ts';
import { allMixes, MixedCluster, parseMix, type Mix } from './mixed-cluster.ts';

interface Outcome {
  readonly check: string;
  readonly copies?: number;
  /** More copies than there should be, but as among the original's own kind. */
  readonly isHabit?: boolean;
  /** Why it is no success. */
  readonly problem?: string;
}

const documentPath = new URL('../../docs/migrate.md', import.meta.url);

const { values } = parseArgs({
  options: {
    binaries: { type: 'string' },
    mix: { type: 'string', multiple: true },
    check: { type: 'string', multiple: true },
    address: { type: 'string', default: loopback },
    tls: { type: 'boolean', default: false },
    quic: { type: 'boolean', default: false },
    blobs: { type: 'string' },
    write: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
if (values.binaries === undefined) throw new Error('--binaries: the directory with the programs of the original');
if (values.write && (values.check || values.tls || values.quic || values.blobs !== undefined))
  throw new Error('--write: only what every check says of a plain mix');

const mixes = values.mix?.map(parseMix) ?? allMixes();
const rows: string[] = [];
for (const mix of mixes) {
  const outcomes = await runMix(mix, values.binaries);
  rows.push(row(mix, outcomes));
  console.log(rows.at(-1));
}
const table = [header(), ...rows].join('\n');
console.log(`\n${table}`);
if (values.write) await writeRows(rows);
process.exitCode = rows.some((line) => line.includes('✗')) ? 1 : 0;

async function runMix(mix: Mix, binaries: string): Promise<Outcome[]> {
  await using directory = await clusterDirectory('df-interop-', values.keep);
  const outcomes: Outcome[] = [];
  try {
    await using cluster = await MixedCluster.start({
      mix,
      binaries,
      directory: directory.path,
      address: values.address,
      tls: values.tls,
      quic: values.quic,
      blobsByDigest: values.blobs === undefined ? undefined : values.blobs === 'digest',
    });
    for (const { name, maxCopies, losesScheduler = false, run } of checks) {
      if (values.check && !values.check.includes(name)) continue;
      const outcome = await run(cluster).then(
        (copies): Outcome => {
          if (copies <= maxCopies) return { check: name, copies };
          if (losesScheduler && mix.peers === 'original') return { check: name, copies, isHabit: true };
          return { check: name, copies, problem: 'too many copies' };
        },
        (error: unknown): Outcome => ({ check: name, problem: (error as Error).message }),
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
    const mark = outcome?.isHabit === true ? ' *' : '';
    const copies = outcome?.copies === undefined ? '' : outcome.copies.toFixed(2) + mark;
    return outcome && outcome.problem === undefined ? copies : `✗ ${copies}`.trim();
  });
  return line([manager, scheduler, seed, peers, ...cells]);
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** In the place of what the table says of the same mixes; the others stay. */
async function writeRows(fresh: readonly string[]): Promise<void> {
  const document = await readFile(documentPath, 'utf8');
  const marked = /(<!-- mixes -->\n)([^]*)(\n<!-- end of mixes -->)/;
  const [, begin, table, end] = marked.exec(document) ?? [];
  if (begin === undefined || table === undefined || end === undefined)
    throw new Error('docs/migrate.md has no place for the table');
  const known = table.split('\n').filter((text) => /^\| (ours|original) /.test(text));
  const rowsByMix = new Map(
    [...known, ...fresh].map((text) => [cellsOf(text).slice(0, 4).join(), line(cellsOf(text))]),
  );
  const ordered = allMixes().flatMap((mix) => rowsByMix.get(Object.values(mix).join()) ?? []);
  await writeFile(documentPath, document.replace(marked, `${begin}\n${[header(), ...ordered].join('\n')}\n${end}`));
}

function cellsOf(text: string): string[] {
  const cells = text.split('|').map((cell) => cell.trim());
  return cells.slice(1, -1);
}
