/**
 * The same bytes by pairs of whole daemons of several checkouts, in turns in one run: whether a change is worth its while.
 *
 *   node bench/transport/trees.ts --trees DIR,DIR [--gib 1] [--rounds 4] [--origin] [--same-start]
 *
 * Each tree has a parent and a child of its own, and its own node_modules; the scheduler is of this one. Who comes first changes with
 * every round. `--origin`: the child fetches it from nginx, and there is no parent. `--same-start` gives all of them the same memory (same-start.ts; needs root): without, it is as the one before has left it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { BenchSwarm, type BenchDaemon } from './daemon-swarm.ts';
import type { Transfer } from './nginx-pair.ts';
import { cpuSecondsOf, forgetPeak, median, peakRssBytes, sum } from './processes.ts';
import { SameStart } from './same-start.ts';

const { values } = parseArgs({
  options: {
    trees: { type: 'string' },
    gib: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '4' },
    origin: { type: 'boolean', default: false },
    'same-start': { type: 'boolean', default: false },
  },
});
if (values.trees === undefined) throw new Error('--trees: checkouts with their node_modules');
const gib = Number(values.gib);
const bytes = gib * 2 ** 30;

interface Pair {
  readonly name: string;
  readonly url: string;
  /** None where the child fetches from the origin. */
  readonly parent: BenchDaemon | undefined;
  readonly child: BenchDaemon;
  /** The file that is sent. */
  readonly source: string;
  readonly transfers: Transfer[];
}

await using cleanup = new AsyncDisposableStack();
const directory = cleanup.use(await temporaryDirectory('df-trees-'));
const originDirectory = directory.join('origin');
mkdirSync(originDirectory);
const origin = cleanup.use(await NginxOrigin.start({ directory: originDirectory }));
const { sha256 } = await makeRandomFile(join(origin.root, 'content'), bytes);
const swarm = cleanup.use(await BenchSwarm.start({ directory: directory.path }));
const pairs: Pair[] = [];
for (const tree of values.trees.split(',')) pairs.push(await startPair(resolve(tree)));
const start = values['same-start'] ? cleanup.use(new SameStart(directory.path)) : undefined;

for (let round = 0; round <= Number(values.rounds); round += 1) {
  for (const pair of round % 2 === 0 ? pairs : pairs.toReversed()) {
    using _memory = start?.for(pair.source);
    if (!start) spawnSync('sync');
    const transfer = await run(pair, { check: round === 0 });
    if (round > 0) pair.transfers.push(transfer); // the first warms caches and compilers
    process.stderr.write(
      `round ${round}: ${pair.name} ${rate(transfer).toFixed(2)} GiB/s, ${cost(transfer).toFixed(2)} CPU s/GiB\n`,
    );
  }
}
report();

async function startPair(tree: string): Promise<Pair> {
  const name = basename(tree);
  const url = `${origin.url}/content?${name}`; // another task for each, so that none gives to another
  const command = [join(tree, 'bin', 'dfdaemon')];
  const child = await swarm.daemon(`${name}-child`, {}, command);
  if (values.origin)
    return { name, url, parent: undefined, child, source: join(origin.root, 'content'), transfers: [] };
  const parent = await swarm.daemon(`${name}-parent`, {}, command);
  await parent.download(url);
  const stored = readdirSync(parent.directory, { recursive: true, encoding: 'utf8' });
  const source = stored.map((path) => join(parent.directory, path)).find((path) => statSync(path).size === bytes);
  if (source === undefined) throw new Error(`${name}: the parent stores no file of that size`);
  return { name, url, parent, child, source, transfers: [] };
}

async function run({ name, url, parent, child }: Pair, { check }: { check: boolean }): Promise<Transfer> {
  const output = join(child.directory, 'output');
  const cpu = (): [number, number] => [parent ? cpuSecondsOf(parent.pid) : 0, cpuSecondsOf(child.pid)];
  for (const daemon of [parent, child]) if (daemon) forgetPeak(daemon.pid);
  const before = cpu();
  const { taskId, receipt, seconds } = await child.download(url, output);
  const after = cpu();
  const cpuSeconds = [after[0] - before[0], after[1] - before[1]] as const;
  if (receipt.bytesFromOrigin > 0 === (parent !== undefined)) throw new Error(`${name} got it from somebody else`);
  if (check && (await sha256OfFile(output)) !== sha256) throw new Error(`${name} got other bytes`);
  await child.remove(taskId);
  rmSync(output);
  return { seconds, cpuSeconds };
}

function rate({ seconds }: Transfer): number {
  return gib / seconds;
}

function cost({ cpuSeconds }: Transfer): number {
  return sum(cpuSeconds) / gib;
}

function report(): void {
  const load = spawnSync('uptime', { encoding: 'utf8' }).stdout.trim();
  console.log(`\n${gib} GiB, ${values.rounds} rounds, medians (paired ratios to the first); ${load}\n`);
  console.log('| tree | GiB/s | CPU s/GiB (sender + receiver) | speed | CPU | peak RSS MiB |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  const first = pairs[0]?.transfers ?? [];
  for (const { name, parent, child, transfers } of pairs) {
    const paired = (figure: (transfer: Transfer) => number): string =>
      `${median(transfers.map((one, round) => figure(one) / figure(first[round] ?? one))).toFixed(2)} ×`;
    const ends = [0, 1].map((end) =>
      median(transfers.map(({ cpuSeconds }) => (cpuSeconds[end] ?? 0) / gib)).toFixed(2),
    );
    const peaks = [parent, child].map((one) => (one ? String(Math.round(peakRssBytes(one.pid) / 2 ** 20)) : '–'));
    const costs = `${median(transfers.map(cost)).toFixed(2)} (${ends.join(' + ')})`;
    const cells = [name, median(transfers.map(rate)).toFixed(2), costs, paired(rate), paired(cost), peaks.join(', ')];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
