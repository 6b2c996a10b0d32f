/**
 * Throughput and cost of the piece transport, store to store, beside nginx (sendfile) → `curl -o`, alternating in one run.
 *
 *   node bench/transport/run.ts [--gib 4] [--rounds 5] [--tls] [--directory DIR]
 *
 * Both pairs read a file from the page cache and write a new one. CPU is user + system of both ends over the transfer.
 * Run it in a network namespace with the congestion control of the machines in mind; bbr over loopback costs a quarter.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { makeCertificate, NginxPair, type Transfer } from './nginx-pair.ts';
import { median, sum } from './processes.ts';

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    tls: { type: 'boolean', default: false },
    directory: { type: 'string', default: tmpdir() },
  },
});
const gib = Number(values.gib);
const bytes = gib * 2 ** 30;

interface Sample extends Transfer {
  readonly rssBytes?: readonly number[];
  readonly loopDelayP99Ms?: readonly number[];
}

class Peer {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(...args: string[]) {
    this.#process = spawn(process.execPath, [join(import.meta.dirname, 'peer.ts'), ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface(this.#process.stdout!)[Symbol.asyncIterator]();
  }

  async answer<T>(question?: string): Promise<T> {
    if (question !== undefined) this.#process.stdin!.write(`${question}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('a peer of the benchmark has ended');
    return JSON.parse(value) as T;
  }

  async end(): Promise<void> {
    const closed = once(this.#process, 'exit');
    this.#process.stdin!.end();
    await closed;
  }
}

interface PeerUsage {
  cpuSeconds: number;
  maxRssBytes: number;
  loopDelayP99Ms: number;
}

const directory = mkdtempSync(join(values.directory, 'dragonfly-bench-'));
const cleanups: (() => Promise<void> | void)[] = [() => rmSync(directory, { recursive: true, force: true })];
try {
  await main();
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
}

async function main(): Promise<void> {
  const www = join(directory, 'www');
  mkdirSync(www);
  const content = join(www, 'content');
  writeContent(content);
  if (values.tls) makeCertificate(directory);
  const mode = values.tls ? 'tls' : 'plain';
  for (const name of ['parent', 'child']) mkdirSync(join(directory, name), { mode: 0o700 });

  const parent = new Peer('parent', join(directory, 'parent'), content, mode);
  cleanups.push(() => parent.end());
  const { port } = await parent.answer<{ port: number }>();
  const child = new Peer('child', join(directory, 'child'), String(port), String(bytes), mode);
  cleanups.push(() => child.end());
  const nginx = await NginxPair.start(directory, www, values.tls);
  cleanups.push(() => nginx[Symbol.asyncDispose]());

  const rounds: { ours: Sample; theirs: Sample }[] = [];
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    const ours = await ourRound(parent, child);
    const theirs = await nginx.transfer('content');
    if (round === 0) continue; // warms the page cache and the compilers
    rounds.push({ ours, theirs });
    process.stderr.write(
      `round ${round}: ours ${(gib / ours.seconds).toFixed(2)} GiB/s, nginx → curl ${(gib / theirs.seconds).toFixed(2)} GiB/s\n`,
    );
  }
  report(rounds);
}

async function ourRound(parent: Peer, child: Peer): Promise<Sample> {
  await child.answer('remove');
  const before = [await parent.answer<PeerUsage>('usage'), await child.answer<PeerUsage>('usage')];
  const { seconds } = await child.answer<{ seconds: number }>('fetch');
  const after = [await parent.answer<PeerUsage>('usage'), await child.answer<PeerUsage>('usage')];
  await child.answer('remove');
  return {
    seconds,
    cpuSeconds: [spent(before, after, 0), spent(before, after, 1)],
    rssBytes: after.map((usage) => usage.maxRssBytes),
    loopDelayP99Ms: after.map((usage) => usage.loopDelayP99Ms),
  };
}

function spent(before: readonly PeerUsage[], after: readonly PeerUsage[], end: 0 | 1): number {
  return (after[end]?.cpuSeconds ?? 0) - (before[end]?.cpuSeconds ?? 0);
}

function report(rounds: readonly { ours: Sample; theirs: Sample }[]): void {
  const rate = (sample: Sample): number => gib / sample.seconds;
  const cost = (sample: Sample): number => sum(sample.cpuSeconds) / gib;
  const ends = (samples: readonly Sample[]): string =>
    [0, 1].map((end) => median(samples.map((sample) => (sample.cpuSeconds[end] ?? 0) / gib)).toFixed(2)).join(' + ');
  const ours = rounds.map((round) => round.ours);
  const theirs = rounds.map((round) => round.theirs);
  console.log(`\n${gib} GiB, ${rounds.length} rounds, ${values.tls ? 'TLS' : 'plain'}, medians (paired ratios)\n`);
  console.log(
    '| pair | GiB/s | CPU s/GiB (sender + receiver) | max RSS MiB (parent, child) | loop delay p99 ms (parent, child) |',
  );
  console.log('| --- | --- | --- | --- | --- |');
  const rss = [0, 1]
    .map((end) => Math.round(Math.max(...ours.map((sample) => sample.rssBytes?.[end] ?? 0)) / 2 ** 20))
    .join(', ');
  const loop = [0, 1]
    .map((end) => median(ours.map((sample) => sample.loopDelayP99Ms?.[end] ?? 0)).toFixed(1))
    .join(', ');
  console.log(
    `| store → store | ${median(ours.map(rate)).toFixed(2)} | ${median(ours.map(cost)).toFixed(2)} (${ends(ours)}) | ${rss} | ${loop} |`,
  );
  console.log(
    `| nginx → curl -o | ${median(theirs.map(rate)).toFixed(2)} | ${median(theirs.map(cost)).toFixed(2)} (${ends(theirs)}) | | |`,
  );
  const faster = median(rounds.map((round) => rate(round.ours) / rate(round.theirs)));
  const cheaper = median(rounds.map((round) => cost(round.ours) / cost(round.theirs)));
  console.log(`| ratio | ${faster.toFixed(2)} | ${cheaper.toFixed(2)} | | |`);
}

function writeContent(path: string): void {
  const file = openSync(path, 'w');
  const block = randomFillSync(Buffer.alloc(8 * 2 ** 20));
  for (let written = 0; written < bytes; written += block.length) {
    block.writeUInt32LE(written / block.length, 0); // no two blocks are the same
    writeSync(file, block);
  }
  closeSync(file);
  writeFileSync(`${path}.size`, String(bytes));
}
