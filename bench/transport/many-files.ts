/**
 * A repository of many small files by `dfget --recursive` through a whole swarm (nginx, a scheduler, a seed and peers), beside one file of
 * their sum by the same nodes, in turns in one run.
 *
 *   node bench/transport/many-files.ts [--files 10000] [--mib 200] [--peers 8] [--rounds 3] [--at-once 5] [--seed N] [--trees DIR,DIR]
 *
 * Sizes run from one byte to 1 MiB, every power of two as often as the next, and are brought to the sum. The listing is that of a model hub,
 * with the name git has for each file. In a round every tree (a checkout with its node_modules; this one by default) has a swarm of its own, with the
 * scheduler of this one: the peers fetch the file, then the repository, all at the same time, then one more peer comes, which gets it from the
 * others. Every file is compared in the first round. Requests are those of the origin's log. CPU is that of all processes, the origin and dfget too.
 *
 * Nothing is deleted before the end: for minutes ext4 looks for room around the files that are gone, and each new one costs ten times as much.
 * A file system that was just made is the best place: TMPDIR names it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/swarm/shared/random.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { BenchSwarm, type BenchDaemon } from './daemon-swarm.ts';
import { childrenCpuSeconds, cpuSecondsOf, median, peakRssBytes, sum } from './processes.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '10000' },
    mib: { type: 'string', default: '200' },
    peers: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    'at-once': { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    trees: { type: 'string', default: fileURLToPath(new URL('../..', import.meta.url)) },
  },
});
const largestBytes = 2 ** 20;
const totalBytes = Number(values.mib) * 2 ** 20;

interface MadeFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

interface Sample {
  /** Wall time of all peers together. */
  readonly oneFileSeconds: number;
  readonly filesSeconds: number;
  readonly warmSeconds: number;
  readonly requests: number;
  readonly oneFileCpuSeconds: number;
  readonly filesCpuSeconds: number;
  readonly seedRssBytes: number;
}

await using cleanup = new AsyncDisposableStack();
const directory = cleanup.use(await temporaryDirectory('df-files-'));
const originDirectory = directory.join('origin');
mkdirSync(originDirectory);
const origin = cleanup.use(await NginxOrigin.start({ directory: originDirectory }));
const files = makeRepository();
const one = await makeRandomFile(join(origin.root, 'one'), sum([...files.values()].map(({ sizeBytes }) => sizeBytes)));
const trees = values.trees.split(',').map((tree) => resolve(tree));
const samples = new Map<string, Sample[]>(trees.map((tree) => [tree, []]));

for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const tree of round % 2 === 0 ? trees : trees.toReversed()) {
    const sample = await measure(tree, round);
    samples.get(tree)?.push(sample);
    const { oneFileSeconds, filesSeconds, warmSeconds, requests, oneFileCpuSeconds, filesCpuSeconds } = sample;
    process.stderr.write(
      `round ${round}: ${basename(tree)}: one file ${oneFileSeconds.toFixed(1)} s, files ${filesSeconds.toFixed(1)} s, one more peer ${warmSeconds.toFixed(1)} s, ${requests} requests; CPU ${oneFileCpuSeconds.toFixed(1)}, ${filesCpuSeconds.toFixed(1)} s\n`,
    );
  }
}
report();

/** As a model hub serves it: one listing, and each file below the revision. */
function makeRepository(): Map<string, MadeFile> {
  const random = seededRandom(Number(values.seed));
  const drawn = Array.from({ length: Number(values.files) }, () => largestBytes ** random());
  const scale = totalBytes / sum(drawn);
  const made = new Map<string, MadeFile>();
  const listing: object[] = [];
  for (const [number, drawnBytes] of drawn.entries()) {
    const name = `d${number % 100}/f${number}`;
    const path = join(origin.root, 'content', name);
    mkdirSync(dirname(path), { recursive: true });
    const sizeBytes = Math.min(largestBytes, Math.max(1, Math.floor(drawnBytes * scale)));
    const content = randomBytes(sizeBytes);
    writeFileSync(path, content);
    made.set(name, { sizeBytes, sha256: hash('sha256', content) });
    const oid = createHash('sha1').update(`blob ${sizeBytes}\0`).update(content).digest('hex');
    listing.push({ type: 'file', path: name, size: sizeBytes, oid });
  }
  writeFileSync(join(origin.root, 'listing'), JSON.stringify(listing));
  return made;
}

/** Under a name of its own each time, so that no log line is of another. */
function publish(revision: string): void {
  const link = (path: string, target: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(origin.root, target), path);
  };
  link(join(origin.root, 'api', 'models', 'Owner', 'Name', 'tree', revision), 'listing');
  link(join(origin.root, 'Owner', 'Name', 'resolve', revision), 'content');
}

async function measure(tree: string, round: number): Promise<Sample> {
  const revision = `${basename(tree)}-${round}`;
  publish(revision);
  const path = directory.join(`swarm-${revision}`);
  mkdirSync(path);
  await using swarm = await BenchSwarm.start({ directory: path });
  const command = [join(tree, 'bin', 'dfdaemon')];
  const start = (name: string, more = {}): Promise<BenchDaemon> => swarm.daemon(name, more, command);
  const seed = await start('seed', { scheduler: { seedPeer: { enable: true } } });
  const peers = await Promise.all(Array.from({ length: Number(values.peers) }, (_, number) => start(`peer-${number}`)));
  const get = (daemon: BenchDaemon, what: readonly string[]): Promise<void> => runDfget(tree, daemon, what);
  const repository = (daemon: BenchDaemon): string[] => {
    const hub = ['--hf-revision', revision, '--hf-base-url', origin.url];
    const many = ['--max-files', String(files.size), '--max-concurrent-requests', values['at-once']];
    return ['hf://Owner/Name/', '--recursive', ...hub, ...many, '-O', out(daemon)];
  };
  const single = (daemon: BenchDaemon): string[] => [`${origin.url}/one?${revision}`, '-O', `${out(daemon)}-one`];
  const oneFile = await cost(() => Promise.all(peers.map((peer) => get(peer, single(peer)))));
  const all = await cost(() => Promise.all(peers.map((peer) => get(peer, repository(peer)))));
  await origin.settled();
  const late = await start('late');
  const warm = await cost(() => get(late, repository(late)));
  if (round === 0) {
    for (const daemon of [...peers, late]) compare(out(daemon));
    for (const peer of peers)
      if ((await sha256OfFile(`${out(peer)}-one`)) !== one.sha256) throw new Error('other content');
  }
  return {
    oneFileSeconds: oneFile.seconds,
    filesSeconds: all.seconds,
    warmSeconds: warm.seconds,
    requests: requestsOf(revision),
    oneFileCpuSeconds: oneFile.cpuSeconds,
    filesCpuSeconds: all.cpuSeconds,
    seedRssBytes: peakRssBytes(seed.pid),
  };
}

function out({ directory: path }: BenchDaemon): string {
  return join(path, 'out');
}

async function cost(work: () => Promise<unknown>): Promise<{ readonly seconds: number; readonly cpuSeconds: number }> {
  const cpu = (): number => cpuSecondsOf(process.pid) + childrenCpuSeconds();
  const before = cpu();
  const startedMs = performance.now();
  await work();
  return { seconds: (performance.now() - startedMs) / 1000, cpuSeconds: cpu() - before };
}

/** For files; listings do not count. */
function requestsOf(revision: string): number {
  const log = readFileSync(join(originDirectory, 'access.log'), 'utf8');
  return log.split('\n').filter((line) => line.startsWith(`GET /Owner/Name/resolve/${revision}/`)).length;
}

function compare(output: string): void {
  for (const [name, { sha256 }] of files)
    if (hash('sha256', readFileSync(join(output, name))) !== sha256) throw new Error(`${name} is not the content`);
}

async function runDfget(tree: string, { socket }: BenchDaemon, what: readonly string[]): Promise<void> {
  const child = spawn(join(tree, 'bin', 'dfget'), [...what, '-e', socket], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`dfget ended with ${code}`);
}

function report(): void {
  const load = spawnSync('uptime', { encoding: 'utf8' }).stdout.trim();
  const mib = Math.round(one.sizeBytes / 2 ** 20);
  console.log(
    `\n${files.size} files, ${mib} MiB, ${values.peers} peers, ${values.rounds} rounds, medians (ratios of pairs); ${load}\n`,
  );
  console.log(
    '| tree | one file s | files s | × one file | requests | one more peer s | files/s | CPU s (one file, files) | seed peak RSS MiB |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const [tree, of] of samples) {
    const middle = (figure: (sample: Sample) => number): number => median(of.map(figure));
    const cells = [
      basename(tree),
      middle(({ oneFileSeconds }) => oneFileSeconds).toFixed(1),
      middle(({ filesSeconds }) => filesSeconds).toFixed(1),
      middle(({ filesSeconds, oneFileSeconds }) => filesSeconds / oneFileSeconds).toFixed(2),
      middle(({ requests }) => requests),
      middle(({ warmSeconds }) => warmSeconds).toFixed(1),
      Math.round(middle(({ warmSeconds }) => files.size / warmSeconds)),
      `${middle(({ oneFileCpuSeconds }) => oneFileCpuSeconds).toFixed(1)}, ${middle(({ filesCpuSeconds }) => filesCpuSeconds).toFixed(1)}`,
      Math.round(middle(({ seedRssBytes }) => seedRssBytes) / 2 ** 20),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
