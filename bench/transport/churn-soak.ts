/**
 * Churn for as long as you like: a scheduler, a seed and three peers whose stores are too small for what they are asked for.
 *
 *   npm run soak -- [--minutes 60] [--pause-ms 0] [--kill-minutes 10] [--largest 41943040] [--seed N] [--output DIR]
 *
 * Each daemon downloads, verifies, deletes and reads ranges through its proxy, at random; peer-3 is killed now and then and
 * started again. Every byte is compared. SIGUSR2 makes it rest once the running actions have ended, another one go on.
 * Ends with 1 when a byte was wrong, an action failed for no reason of ours, or a daemon grew (growth.ts). `DIR` (by
 * default a temporary one) gets samples.jsonl and the logs; the stores are removed.
 */
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/swarm/shared/random.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { BenchSwarm, type BenchDaemon } from './daemon-swarm.ts';
import { growthOf, type Sample } from './growth.ts';
import { anonymousBytes, openFiles, rssBytes } from './processes.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    'pause-ms': { type: 'string', default: '0' },
    'kill-minutes': { type: 'string', default: '10' },
    largest: { type: 'string', default: String(40 * 2 ** 20) },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    output: { type: 'string' },
  },
});
const sizes = [1, 4096, 100_000, 2 ** 20, 4 * 2 ** 20 + 1, 10 * 2 ** 20, 24 * 2 ** 20, 40 * 2 ** 20].filter(
  (bytes) => bytes <= Number(values.largest),
);
const versions = 12;
const sampleMs = 5000;
const actionMs = 180_000;
const daemonConfig = {
  gcInterval: '5s',
  storage: { diskGCThreshold: '160Mi' },
  proxy: { enable: true, tcpListen: { port: 0, listen: '127.0.0.1' }, rules: [{ regx: '/content-' }] },
};

await using cleanup = new AsyncDisposableStack();
const directory = values.output ?? mkdtempSync(join(tmpdir(), 'dragonfly-soak-'));
mkdirSync(join(directory, 'origin'), { recursive: true });
const origin = cleanup.use(await NginxOrigin.start({ directory: join(directory, 'origin') }));
const contents = await Promise.all(
  sizes.map((bytes, index) => makeRandomFile(join(origin.root, `content-${index}`), bytes)),
);
const swarm = cleanup.use(await BenchSwarm.start({ directory }));
const random = seededRandom(Number(values.seed));
const counts = new Map<string, number>();
const failures: string[] = [];
const samples: Sample[] = [];
let resting = false;
process.on('SIGUSR2', () => (resting = !resting));
const started = performance.now();
const endMs = started + Number(values.minutes) * 60_000;

/** One name: its daemon of the moment, how often it was started, and what it has stored. */
class Member {
  readonly name: string;
  readonly tasks = new Set<string>();
  lives = 0;
  daemon!: BenchDaemon;
  /** Being killed or started: what fails meanwhile fails for that. */
  down = true;

  constructor(name: string) {
    this.name = name;
  }

  async start(): Promise<void> {
    const scheduler = { seedPeer: { enable: this.name === 'seed' } };
    this.daemon = await swarm.daemon(this.name, { ...daemonConfig, scheduler });
    this.lives += 1;
    this.down = false;
  }

  async killAndStart(): Promise<void> {
    this.down = true;
    this.daemon.process.kill('SIGKILL');
    await this.daemon.process.exited;
    count('kill');
    await this.start();
  }
}

const members = ['seed', 'peer-1', 'peer-2', 'peer-3'].map((name) => new Member(name));
for (const member of members) await member.start();

await Promise.all([...members.map(work), sample(), killNowAndThen(members[3])]);
report();

async function work(member: Member): Promise<void> {
  const actions = [download, download, download, download, range, verify, remove];
  while (performance.now() < endMs) {
    const { lives } = member;
    const action = actions[Math.floor(random() * actions.length)] ?? download;
    if (member.down || resting) {
      await delay(100);
      continue;
    }
    try {
      count((await action(member)) ? action.name : `${action.name}, nothing there`);
    } catch (error) {
      if (member.down || member.lives !== lives) count('cut off by a kill');
      else failures.push(`${seconds()} s, ${member.name}, ${action.name}: ${describe(error)}`);
    }
    await delay(Number(values['pause-ms']));
  }
}

/** Small ones are asked for more often, so that all sizes matter. */
function anyContent() {
  const index = Math.floor(random() * contents.length);
  const content = contents[index];
  if (!content) throw new Error('no content');
  return { ...content, url: `${origin.url}/content-${index}?v=${Math.floor(random() * versions)}` };
}

async function download(member: Member): Promise<boolean> {
  const { url, sha256 } = anyContent();
  const output = join(member.daemon.directory, 'output');
  rmSync(output, { force: true });
  const { taskId } = await member.daemon.download(url, output, AbortSignal.timeout(actionMs));
  if ((await sha256OfFile(output)) !== sha256) throw new Error(`${url}: not the content`);
  member.tasks.add(taskId);
  return true;
}

async function range(member: Member): Promise<boolean> {
  const { url, path, sizeBytes } = anyContent();
  const first = Math.floor(random() * sizeBytes);
  const last = Math.min(sizeBytes - 1, first + Math.floor(random() * 2 ** 20));
  const hash = createHash('sha256');
  const [host, port] = member.daemon.process.address('proxy').split(':');
  const answer = await new Promise<{ status: number | undefined }>((resolve, reject) => {
    const headers = { range: `bytes=${first}-${last}`, host: new URL(url).host };
    request({ host, port, path: url, headers, signal: AbortSignal.timeout(actionMs) }, (response) => {
      response.on('data', (chunk: Buffer) => hash.update(chunk));
      response.once('end', () => resolve({ status: response.statusCode }));
      response.once('error', reject);
    })
      .once('error', reject)
      .end();
  });
  const expected = createHash('sha256')
    .update(readFileSync(path).subarray(first, last + 1))
    .digest('hex');
  if (answer.status !== 206) throw new Error(`${url}, bytes ${first}-${last}: status ${answer.status}`);
  if (hash.digest('hex') !== expected) throw new Error(`${url}, bytes ${first}-${last}: not the content`);
  return true;
}

/** False when the collector was faster. */
async function verify(member: Member): Promise<boolean> {
  return onStored(member, async (taskId) => {
    const { badPieces } = await member.daemon.local.verifyLocalTask(
      { taskId },
      { signal: AbortSignal.timeout(actionMs) },
    );
    if (badPieces.length > 0) throw new Error(`bad pieces in ${taskId}: ${badPieces.join(', ')}`);
  });
}

async function remove(member: Member): Promise<boolean> {
  return onStored(member, async (taskId) => {
    member.tasks.delete(taskId);
    await member.daemon.remove(taskId);
  });
}

async function onStored(member: Member, act: (taskId: string) => Promise<void>): Promise<boolean> {
  const taskId = [...member.tasks][Math.floor(random() * member.tasks.size)];
  if (taskId === undefined) return false;
  try {
    await act(taskId);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'NOT_FOUND') throw error;
    member.tasks.delete(taskId);
    return false;
  }
}

async function killNowAndThen(member: Member | undefined): Promise<void> {
  const meanMs = Number(values['kill-minutes']) * 60_000;
  while (member) {
    const wakeMs = Math.min(endMs - performance.now(), meanMs * (0.5 + random()));
    await delay(Math.max(0, wakeMs));
    if (performance.now() >= endMs) return;
    await member.killAndStart();
  }
}

async function sample(): Promise<void> {
  const output = createWriteStream(join(directory, 'samples.jsonl'));
  const own = monitorEventLoopDelay({ resolution: 10 });
  own.enable();
  while (performance.now() < endMs) {
    await delay(sampleMs);
    if (resting) continue; // what is idle gives memory back, and takes it again for its work: that is not growth
    const ownStallMs = Math.round(own.max / 1e6);
    own.reset();
    for (const member of members) {
      if (member.down) continue;
      const taken = await sampleOf(member, ownStallMs).catch(() => undefined);
      if (!taken) continue;
      samples.push(taken);
      output.write(`${JSON.stringify(taken)}\n`);
    }
  }
  output.end();
}

async function sampleOf({ daemon, name, lives }: Member, ownStallMs: number): Promise<Sample> {
  const metrics = await daemon.metrics();
  const mib = (bytes: number): number => Math.round((10 * bytes) / 2 ** 20) / 10;
  return {
    atSeconds: seconds(),
    life: `${name}#${lives}`,
    rssMib: mib(rssBytes(daemon.pid)),
    anonymousMib: mib(anonymousBytes(daemon.pid)),
    heapMib: mib(metrics.get('nodejs_heap_size_used_bytes') ?? 0),
    heapTotalMib: mib(metrics.get('nodejs_heap_size_total_bytes') ?? 0),
    externalMib: mib(metrics.get('nodejs_external_memory_bytes') ?? 0),
    files: openFiles(daemon.pid),
    loopDelayMs: Math.round(10_000 * (metrics.get('nodejs_eventloop_lag_p99_seconds') ?? 0)) / 10,
    ownStallMs,
  };
}

function report(): void {
  const done = [...counts].map(([what, times]) => `${what} ${times}`).join(', ');
  console.log(`seed ${values.seed}, ${values.minutes} min: ${done}\n`);
  console.log('| life | samples | RSS MiB | anonymous MiB | heap MiB | files | loop delay p99 ms | grew |');
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
  const lives = growthOf(samples);
  for (const { life, samples: taken, medians, loopDelayMs, grew } of lives) {
    const cells = Object.values(medians).map(([early, late]) => `${early} → ${late}`);
    console.log(`| ${life} | ${taken} | ${cells.join(' | ')} | ${loopDelayMs} | ${grew.join(', ') || 'no'} |`);
  }
  const stalls = samples.map(({ ownStallMs }) => ownStallMs).toSorted((a, b) => b - a);
  console.log(`\nlongest stalls of this program: ${[...new Set(stalls)].slice(0, 5).join(', ')} ms`);
  for (const failure of failures) console.log(`failed: ${failure}`);
  for (const { name } of [...members, { name: 'origin' }]) {
    for (const part of ['data', 'output', 'www'])
      if (existsSync(join(directory, name, part))) rmSync(join(directory, name, part), { recursive: true });
  }
  process.exitCode = failures.length > 0 || lives.some(({ grew }) => grew.length > 0) ? 1 : 0;
}

function count(what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function seconds(): number {
  return Math.round((performance.now() - started) / 1000);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
