/**
 * Two whole daemons beside the piece transport alone and nginx (sendfile) → `curl -o`, alternating in one run: a task that one
 * holds comes to the other, whose store is empty, and is placed at a path.
 *
 *   node bench/transport/daemons.ts [--gib 4] [--rounds 4] [--tls] [--proof] [--reference PROGRAM] [--directory DIR]
 *
 * `--proof` puts a pair beside them that does without digests of pieces: what the proof costs.
 *
 * Time runs from the call to the file at its path; CPU is user + system of both daemons, or of nginx and curl. Both pairs
 * read a file from the page cache and write a new one in the same file system; each starts with nothing to write back, its
 * source in memory and the memory it takes just freed (same-start.ts; needs root), and who comes first changes with every round.
 * `--reference` names a transfer program in C to put beside them, called
 * `PROGRAM srv PORT FILE sendfile` and `PROGRAM cli PORT TARGET BYTES PIECE_BYTES CONNECTIONS rw c SERVER_PID`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { BenchSwarm, type BenchDaemon } from './daemon-swarm.ts';
import { makeCertificate, NginxPair, type Transfer } from './nginx-pair.ts';
import { cpuSecondsOf, forgetPeak, freePort, median, peakRssBytes, sum } from './processes.ts';
import { SameStart } from './same-start.ts';
import { StorePair } from './store-pair.ts';

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '4' },
    tls: { type: 'boolean', default: false },
    proof: { type: 'boolean', default: false },
    reference: { type: 'string' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const bytes = Number(values.gib) * 2 ** 30;
const rounds = Number(values.rounds);

await using cleanup = new AsyncDisposableStack();
const directory = mkdtempSync(join(values.directory, 'dragonfly-bench-'));
cleanup.defer(() => rmSync(directory, { recursive: true, force: true }));
mkdirSync(join(directory, 'origin'));
const origin = cleanup.use(await NginxOrigin.start({ directory: join(directory, 'origin') }));
const content = join(origin.root, 'content');
const { sha256 } = await makeRandomFile(content, bytes);
if (values.tls) makeCertificate(directory);
const swarm = cleanup.use(await BenchSwarm.start({ directory, tls: values.tls }));
const parent = await swarm.daemon('parent');
const child = await swarm.daemon('child');
const pair = cleanup.use(await NginxPair.start(directory, origin.root, values.tls));
await parent.download(`${origin.url}/content`);

const start = cleanup.use(new SameStart(directory));
const results = new Map<string, Transfer[]>();
const loopDelays: number[][] = [];
const stored = storedContent(parent.directory);
writeFileSync(`${content}.size`, String(bytes));
const stores = cleanup.use(await StorePair.start(directory, content, { bytes, tls: values.tls }));
const contenders: [name: string, source: string, transfer: () => Promise<Transfer>][] = [
  ['daemon → daemon', stored, () => ours(parent, child, `${origin.url}/content`)],
  ['transport alone', storedContent(join(directory, 'store', 'parent')), () => stores.transfer()],
  ['nginx → curl -o', content, () => pair.transfer('content')],
];
if (values.proof) {
  // Another URL is another task: neither pair takes anything from the other.
  const url = `${origin.url}/content?without-digests`;
  const without = { download: { pieceDigests: false } };
  const giver = await swarm.daemon('parent-without', without);
  const taker = await swarm.daemon('child-without', without);
  await giver.download(url);
  contenders.push(['without digests of pieces', storedContent(giver.directory), () => ours(giver, taker, url)]);
}
if (values.reference !== undefined) {
  for (const threads of [1, 4])
    contenders.push([`C, ${threads} thread(s)`, content, await reference(values.reference, threads)]);
}
for (let round = 0; round <= rounds; round += 1) {
  for (const [name, source, transfer] of round % 2 === 0 ? contenders : contenders.toReversed()) {
    using _memory = start.for(source);
    const result = await transfer();
    if (round === 0) continue; // warms the page cache and the compilers
    results.set(name, [...(results.get(name) ?? []), result]);
    process.stderr.write(
      `round ${round}: ${name} ${rate(result).toFixed(2)} GiB/s, ${cost(result).toFixed(2)} CPU s/GiB (${result.cpuSeconds.map((seconds) => (seconds / Number(values.gib)).toFixed(2)).join(' + ')})\n`,
    );
  }
}
report();

async function ours(sender: BenchDaemon, receiver: BenchDaemon, url: string): Promise<Transfer> {
  const output = join(receiver.directory, 'output');
  for (const { pid } of [sender, receiver]) forgetPeak(pid);
  const before = [cpuSecondsOf(sender.pid), cpuSecondsOf(receiver.pid)] as const;
  const { taskId, receipt, seconds } = await receiver.download(url, output);
  const cpuSeconds = [cpuSecondsOf(sender.pid) - before[0], cpuSecondsOf(receiver.pid) - before[1]] as const;
  loopDelays.push(await Promise.all([loopDelayMs(sender), loopDelayMs(receiver)]));
  if (receipt.bytesFromOrigin > 0) throw new Error(`${receipt.bytesFromOrigin} bytes came from the origin`);
  if (results.size === 0 && (await sha256OfFile(output)) !== sha256) throw new Error('the output is not the content');
  await receiver.remove(taskId);
  rmSync(output);
  return { seconds, cpuSeconds };
}

/** The file of a store below the directory that has all of it. */
function storedContent(below: string): string {
  const files = readdirSync(below, { recursive: true, encoding: 'utf8' });
  const largest = files.map((name) => join(below, name)).find((path) => statSync(path).size === bytes);
  if (largest === undefined) throw new Error('the parent stores no file of that size');
  return largest;
}

async function loopDelayMs(daemon: BenchDaemon): Promise<number> {
  return 1000 * ((await daemon.metrics()).get('nodejs_eventloop_lag_p99_seconds') ?? Number.NaN);
}

async function reference(program: string, threads: number): Promise<() => Promise<Transfer>> {
  const port = await freePort();
  const server = spawn(program, ['srv', String(port), content, 'sendfile'], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanup.defer(() => void server.kill());
  await once(server.stdout, 'data');
  const target = join(directory, 'reference.out');
  return async () => {
    const args = ['cli', port, target, bytes, 4 * 2 ** 20, threads, 'rw', 'c', server.pid].map(String);
    const client = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(client.stdout, 'data')) as [Buffer];
    await once(client, 'exit');
    rmSync(target);
    const { wall, cli, srv } = JSON.parse(line.toString()) as { wall: number; cli: number; srv: number };
    return { seconds: wall, cpuSeconds: [srv, cli] };
  };
}

function report(): void {
  const load = spawnSync('uptime', { encoding: 'utf8' }).stdout.trim();
  console.log(
    `\n${values.gib} GiB, ${rounds} rounds, ${values.tls ? 'TLS' : 'plain'}, medians (paired ratios); ${load}\n`,
  );
  console.log('| pair | GiB/s | CPU s/GiB (sender + receiver) | speed × ours | CPU × ours |');
  console.log('| --- | --- | --- | --- | --- |');
  const own = results.get('daemon → daemon') ?? [];
  for (const [name, samples] of results) {
    const ends = [0, 1].map((end) =>
      median(samples.map(({ cpuSeconds }) => (cpuSeconds[end] ?? 0) / Number(values.gib))),
    );
    const faster = median(own.map((sample, round) => rate(sample) / rate(samples[round] ?? sample)));
    const dearer = median(own.map((sample, round) => cost(sample) / cost(samples[round] ?? sample)));
    console.log(
      `| ${name} | ${median(samples.map(rate)).toFixed(2)} | ${median(samples.map(cost)).toFixed(2)} (${ends.map((end) => end.toFixed(2)).join(' + ')}) | ours is ${faster.toFixed(2)} × | ours costs ${dearer.toFixed(2)} × |`,
    );
  }
  const delays = [0, 1].map((end) => Math.max(...loopDelays.map((delay) => delay[end] ?? 0)).toFixed(1));
  const rss = [parent, child].map(({ pid }) => Math.round(peakRssBytes(pid) / 2 ** 20));
  console.log(
    `\nparent, child: peak RSS ${rss.join(', ')} MiB; event-loop delay p99, worst round ${delays.join(', ')} ms`,
  );
}

function rate({ seconds }: Transfer): number {
  return Number(values.gib) / seconds;
}

function cost({ cpuSeconds }: Transfer): number {
  return sum(cpuSeconds) / Number(values.gib);
}
