/**
 * Daemons of ours and of the original beside each other in one run: a seed peer holds content, a peer whose store is empty
 * gets all of it by the `dfget` of its own kind.
 *
 *   node bench/interop/side-by-side.ts --binaries DIR [--gib 2] [--rounds 3] [--mixed]
 *
 * Manager and scheduler are ours. Each pair is a cluster of its own, and who comes first changes with every round; before each
 * the disk has nothing left to write. Time runs from the call of `dfget` to its end; CPU is user + system of the seed peer,
 * and of the peer with its `dfget`. `--mixed`: also a seed of the one kind and a peer of the other.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { taskId } from '../../src/core/ids.ts';
import { sha256OfFile } from '../../test/support/random-file.ts';
import { childrenCpuSeconds, cpuSecondsOf, forgetPeak, median, peakRssBytes } from '../transport/processes.ts';
import { clusterDirectory } from './cluster-directory.ts';
import { socketPath } from './configuration.ts';
import { dfget } from './download.ts';
import { MixedCluster, type Daemon, type OriginFile } from './mixed-cluster.ts';
import type { Kind } from './part.ts';

const run = promisify(execFile);

interface Sample {
  readonly seconds: number;
  readonly senderCpuSeconds: number;
  readonly receiverCpuSeconds: number;
  readonly senderPeakBytes: number;
  readonly receiverPeakBytes: number;
}

interface Pair {
  readonly name: string;
  readonly cluster: MixedCluster;
  readonly peer: Daemon;
  readonly file: OriginFile;
  readonly samples: Sample[];
}

const { values } = parseArgs({
  options: {
    binaries: { type: 'string' },
    gib: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    mixed: { type: 'boolean', default: false },
  },
});
if (values.binaries === undefined) throw new Error('--binaries: the directory with the programs of the original');
const { binaries } = values;
const gib = Number(values.gib);

await using cleanup = new AsyncDisposableStack();
const directory = cleanup.use(await clusterDirectory('df-side-', false)).path;
const kinds: readonly Kind[] = ['ours', 'original'];
const pairs: Pair[] = [];
for (const seed of kinds) {
  for (const peers of kinds) if (values.mixed || seed === peers) pairs.push(await startPair(seed, peers));
}
for (let round = 0; round <= Number(values.rounds); round += 1) {
  for (const pair of round % 2 === 0 ? pairs : pairs.toReversed()) {
    spawnSync('sync');
    const sample = await transfer(pair, { check: round === 0 });
    if (round > 0) pair.samples.push(sample); // the first warms the page cache and the compilers
    process.stderr.write(
      `round ${round}: ${pair.name} ${sample.seconds.toFixed(2)} s, CPU ${cpuOf(sample).toFixed(2)} s\n`,
    );
  }
}
report();

async function startPair(seed: Kind, peers: Kind): Promise<Pair> {
  const own = join(directory, `${seed}-${peers}`);
  await mkdir(own);
  const mix = { manager: 'ours', scheduler: 'ours', seed, peers } as const;
  const cluster = cleanup.use(await MixedCluster.start({ mix, binaries, directory: own, peers: 1 }));
  const [peer] = cluster.peers;
  if (!peer) throw new Error('a cluster without a peer');
  const file = await cluster.file('content.bin', gib * 2 ** 30);
  await dfget(cluster.seed, file);
  return { name: `${seed} → ${peers}`, cluster, peer, file, samples: [] };
}

async function transfer({ cluster, peer, file }: Pair, { check }: { check: boolean }): Promise<Sample> {
  const { part } = peer;
  const pids = [cluster.seed.part.pid, part.pid] as const;
  const output = join(part.directory, 'output.bin');
  const endpoint = ['--endpoint', socketPath(part.directory)];
  const sentBefore = await cluster.copies(file);
  for (const pid of pids) forgetPeak(pid);
  const [senderBefore, receiverBefore] = pids.map(cpuSecondsOf);
  const toolsBefore = childrenCpuSeconds();
  const startedMs = performance.now();
  await run(part.programPath('dfget'), [...endpoint, '-O', output, file.url]);
  const seconds = (performance.now() - startedMs) / 1000;
  const [sender = 0, receiver = 0] = pids.map(cpuSecondsOf);
  const tools = childrenCpuSeconds() - toolsBefore;
  if ((await cluster.copies(file)) > sentBefore + 0.01) throw new Error(`${part.name} went to the origin`);
  if (check && (await sha256OfFile(output)) !== file.sha256) throw new Error(`${part.name} got other bytes`);
  await rm(output);
  const [senderPeakBytes = 0, receiverPeakBytes = 0] = pids.map(peakRssBytes);
  await run(part.programPath('dfctl'), ['task', 'rm', ...endpoint, taskId({ url: file.url })]);
  return {
    seconds,
    senderCpuSeconds: sender - (senderBefore ?? 0),
    receiverCpuSeconds: receiver - (receiverBefore ?? 0) + tools,
    senderPeakBytes,
    receiverPeakBytes,
  };
}

function cpuOf({ senderCpuSeconds, receiverCpuSeconds }: Sample): number {
  return senderCpuSeconds + receiverCpuSeconds;
}

function report(): void {
  console.log(`\n${gib} GiB, ${values.rounds} rounds, medians\n`);
  console.log(
    '| seed peer → peer | seconds | GiB/s | CPU s/GiB (seed peer + peer and dfget) | peak RSS MiB | seconds of each round |',
  );
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const { name, samples } of pairs) {
    const middle = (read: (sample: Sample) => number): number => median(samples.map(read));
    const seconds = middle((sample) => sample.seconds);
    const sender = middle((sample) => sample.senderCpuSeconds) / gib;
    const receiver = middle((sample) => sample.receiverCpuSeconds) / gib;
    const peaks = [middle((sample) => sample.senderPeakBytes), middle((sample) => sample.receiverPeakBytes)];
    const cells = [
      name,
      seconds.toFixed(2),
      (gib / seconds).toFixed(2),
      `${(sender + receiver).toFixed(2)} (${sender.toFixed(2)} + ${receiver.toFixed(2)})`,
      peaks.map((peak) => Math.round(peak / 2 ** 20)).join(', '),
      samples.map((sample) => sample.seconds.toFixed(2)).join(', '),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
