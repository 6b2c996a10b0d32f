/**
 * Throughput and cost of the piece transport, store to store, beside nginx (sendfile) → `curl -o`, alternating in one run.
 *
 *   node bench/transport/run.ts [--gib 4] [--rounds 5] [--tls] [--directory DIR]
 *
 * Both pairs read a file from the page cache and write a new one. CPU is user + system of both ends over the transfer.
 * Run it in a network namespace with the congestion control of the machines in mind; bbr over loopback costs a quarter.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

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
const clockTicks = 100;

interface Sample {
  seconds: number;
  /** Of the sender and of the receiver. */
  cpuSeconds: readonly [number, number];
  rssBytes: readonly number[];
  loopDelayP99Ms?: readonly number[];
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
  if (values.tls) makeCertificate();
  const mode = values.tls ? 'tls' : 'plain';
  for (const name of ['parent', 'child']) mkdirSync(join(directory, name), { mode: 0o700 });

  const parent = new Peer('parent', join(directory, 'parent'), content, mode);
  cleanups.push(() => parent.end());
  const { port } = await parent.answer<{ port: number }>();
  const child = new Peer('child', join(directory, 'child'), String(port), String(bytes), mode);
  cleanups.push(() => child.end());
  const nginx = await startNginx(www);
  cleanups.push(nginx.stop);

  const rounds: { ours: Sample; theirs: Sample }[] = [];
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    const ours = await ourRound(parent, child);
    const theirs = await theirRound(nginx);
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

async function theirRound(nginx: Nginx): Promise<Sample> {
  const target = join(directory, 'curl.out');
  const nginxBefore = nginx.cpuSeconds();
  const childrenBefore = childrenCpuSeconds();
  const startedMs = performance.now();
  const curl = spawn('curl', [
    '-sk',
    '-o',
    target,
    `${values.tls ? 'https' : 'http'}://127.0.0.1:${nginx.port}/content`,
  ]);
  const [status] = (await once(curl, 'exit')) as [number];
  const seconds = (performance.now() - startedMs) / 1000;
  if (status !== 0) throw new Error(`curl ended with ${status}`);
  const cpuSeconds = [nginx.cpuSeconds() - nginxBefore, childrenCpuSeconds() - childrenBefore] as const;
  rmSync(target);
  return { seconds, cpuSeconds, rssBytes: [] };
}

interface Nginx {
  readonly port: number;
  cpuSeconds(): number;
  stop(): Promise<void>;
}

async function startNginx(root: string): Promise<Nginx> {
  const port = await freePort();
  const secured = values.tls
    ? `ssl_certificate ${directory}/cert.pem; ssl_certificate_key ${directory}/key.pem; ssl_protocols TLSv1.3;`
    : '';
  const config = join(directory, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; worker_processes 1; user root; pid ${directory}/nginx.pid; error_log stderr crit; events { worker_connections 1024; }
     http { sendfile on; tcp_nopush on; access_log off;
       server { listen 127.0.0.1:${port}${values.tls ? ' ssl' : ''}; root ${root}; ${secured} } }`,
  );
  const server = spawn('/usr/sbin/nginx', ['-c', config, '-p', directory], { stdio: 'inherit' });
  for (
    let tries = 0;
    spawnSync('curl', ['-skI', `${values.tls ? 'https' : 'http'}://127.0.0.1:${port}/`]).status !== 0;
    tries += 1
  ) {
    if (tries > 100) throw new Error('nginx does not answer');
  }
  return {
    port,
    cpuSeconds: () => sum(processTree(server.pid ?? 0).map(cpuSecondsOf)),
    stop: async () => {
      const ended = once(server, 'exit');
      server.kill('SIGQUIT');
      await ended;
    },
  };
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
    .map((end) => Math.round(Math.max(...ours.map((sample) => sample.rssBytes[end] ?? 0)) / 2 ** 20))
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

function makeCertificate(): void {
  const request =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1';
  execFileSync(
    'openssl',
    [...request.split(' '), '-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')],
    { stdio: 'ignore' },
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

function processTree(root: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(name)?.[1] === String(root))
    .map(Number);
  return [root, ...children];
}

/** Fields of /proc/PID/stat from the state on; undefined for a process that has ended. */
function statOf(pid: number | string): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return undefined;
  }
}

function cpuSecondsOf(pid: number): number {
  const stat = statOf(pid);
  return (Number(stat?.[11] ?? 0) + Number(stat?.[12] ?? 0)) / clockTicks;
}

function childrenCpuSeconds(): number {
  const stat = statOf('self');
  return (Number(stat?.[13] ?? 0) + Number(stat?.[14] ?? 0)) / clockTicks;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
