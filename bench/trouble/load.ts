/**
 * A low, steady, mixed load on a whole cluster with everything on (certificates by force, digests of pieces, proxies, REST), and whether what it holds and
 * how long it takes grow.
 *   node bench/trouble/load.ts [--minutes 80] [--every-ms 1500] [--policy force|prefer|plain] [--output samples.jsonl]
 * One action at a time: downloads, ranges by a proxy, deletions, sign-ins, lists and preheats over REST, strangers without certificates. Every byte is compared.
 * Ends with 1 when one was wrong, an action failed, or a slope after the first quarter is more than `mostMibPerHour`.
 */
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { DfdaemonDownloadDefinition, DownloadTaskRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { dfdaemonConfig, daemonSocket, managerConfig, schedulerConfig } from '../../src/cli/up/config.ts';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { formatJoinToken } from '../../src/rpc/identity/proof.ts';
import { seededRandom } from '../../src/swarm/shared/random.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { cpuSecondsOf, median, rssBytes, sum } from '../transport/processes.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '80' },
    'every-ms': { type: 'string', default: '1500' },
    policy: { type: 'string', default: 'force' },
    output: { type: 'string', default: 'samples.jsonl' },
    seed: { type: 'string', default: '1' },
  },
});
const sizes = [1, 4096, 100_000, 2 ** 20, 4 * 2 ** 20 + 1, 9 * 2 ** 20];
const versions = 40;
const mostMibPerHour = 12;
const actionMs = 60_000;

interface Node {
  readonly name: string;
  readonly directory: string;
  readonly process: ManagedProcess;
}

interface Minute {
  readonly minute: number;
  readonly rssMib: Readonly<Record<string, number>>;
  /** Milliseconds an action took, by its name. */
  readonly tookMs: Readonly<Record<string, number>>;
  readonly processors: number;
}

const random = seededRandom(Number(values.seed));
await using cleanup = new AsyncDisposableStack();
const directory = cleanup.use(await temporaryDirectory('df-load-'));
const origin = cleanup.use(await NginxOrigin.start({ directory: directory.path }));
const contents = await Promise.all(sizes.map((bytes, index) => makeRandomFile(join(origin.root, `c-${index}`), bytes)));
const channels = cleanup.use(new Channels());
const secret = randomBytes(32).toString('base64url');
const password = 'a password of this Bench 1!';
const policy = values.policy === 'plain' ? {} : { autoIssueCert: true, tlsPolicy: values.policy };
const manager = await start('manager', 'manager', managerConfig(directory.join('manager')), secret);
const managerAddress = manager.process.address('grpc');
const token = values.policy === 'plain' ? secret : formatJoinToken(secret, manager.process.address('authority'));
const scheduler = await start(
  'scheduler',
  'scheduler',
  schedulerConfig(directory.join('scheduler'), 'scheduler', managerAddress),
);
const daemons: Node[] = [];
for (const name of ['seed', 'peer-1', 'peer-2', 'peer-3']) {
  const place = { name, directory: directory.join(name), seed: name === 'seed', proxyPort: 0 };
  daemons.push(await start(name, 'dfdaemon', dfdaemonConfig(place, managerAddress)));
}
const nodes = [manager, scheduler, ...daemons];
const rest = `http://${manager.process.address('rest')}/api/v1`;
const took = new Map<string, number[]>();
const minutes: Minute[] = [];
const failures: string[] = [];
let done = 0;
const actions = [download, download, download, download, range, range, remove, signIn, lists, preheat, strangers];
const endMs = performance.now() + Number(values.minutes) * 60_000;
let nextSampleMs = performance.now() + 60_000;
let cpu = cpuOfAll();
let bearer = '';
await signIn();
while (performance.now() < endMs) {
  const action = actions[Math.floor(random() * actions.length)] ?? download;
  const startedMs = performance.now();
  try {
    await action();
    done += 1;
  } catch (error) {
    failures.push(`minute ${minutes.length}, ${action.name}: ${(error as Error).message}`);
  }
  const tookMs = performance.now() - startedMs;
  took.set(action.name, [...(took.get(action.name) ?? []), tookMs]);
  if (performance.now() >= nextSampleMs) sample();
  await delay(Math.max(0, Number(values['every-ms']) - tookMs));
}
report();

async function start(name: string, program: string, text: string, joinToken = token): Promise<Node> {
  const place = directory.join(name);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const { security: _, ...config } = parse(text) as Record<string, unknown>;
  const path = join(place, 'config.yaml');
  const more = program === 'dfdaemon' ? { gcInterval: '5s', storage: { diskGCThreshold: '96Mi' } } : {};
  writeFileSync(path, stringify({ ...config, ...more, security: policy }));
  const env = { DRAGONFLY_JOIN_TOKEN: joinToken, DRAGONFLY_INITIAL_ROOT_PASSWORD: password };
  const args = ['--config', path];
  const process = await ManagedProcess.start({ name, program, args, env, logPath: join(place, 'log') });
  return { name, directory: place, process: cleanup.use(process) };
}

function anyOf<T>(items: readonly T[]): T {
  const one = items[Math.floor(random() * items.length)];
  if (one === undefined) throw new Error('there is none');
  return one;
}

function anyContent(): { url: string; sizeBytes: number; sha256: string; path: string } {
  const index = Math.floor(random() * contents.length);
  const content = anyOf(contents.slice(index, index + 1));
  return { ...content, url: `${origin.url}/c-${index}?v=${Math.floor(random() * versions)}` };
}

async function download(): Promise<void> {
  const { url, sha256 } = anyContent();
  const node = anyOf(daemons);
  const outputPath = join(node.directory, 'output');
  const client = createClient(DfdaemonDownloadDefinition, channels, `unix:${daemonSocket(node.directory)}`);
  const asked = DownloadTaskRequest.fromPartial({ download: { url, outputPath, overwrite: true } });
  for await (const { response } of client.downloadTask(asked, { signal: AbortSignal.timeout(actionMs) })) void response;
  const is = createHash('sha256').update(readFileSync(outputPath)).digest('hex');
  if (is !== sha256) throw new Error(`${url} is not the content`);
}

async function range(): Promise<void> {
  const { url, sizeBytes, path } = anyContent();
  const first = Math.floor(random() * sizeBytes);
  const last = Math.min(sizeBytes - 1, first + Math.floor(random() * 2 ** 20));
  const { status, body } = await byProxy(url, { range: `bytes=${first}-${last}` });
  if (status !== 206) throw new Error(`${url}, ${first}-${last}: status ${status}`);
  if (!body.equals(readFileSync(path).subarray(first, last + 1))) throw new Error(`${url}: wrong bytes`);
}

function byProxy(url: string, headers: Record<string, string>): Promise<{ status: number; body: Buffer }> {
  const [host, port] = anyOf(daemons).process.address('proxy').split(':');
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: Buffer }>();
  const options = { host, port, path: url, headers: { ...headers, host: new URL(url).host } };
  request({ ...options, signal: AbortSignal.timeout(actionMs) }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    response.once('error', reject);
  })
    .once('error', reject)
    .end();
  return promise;
}

/** What one of them may still hold, everywhere. */
async function remove(): Promise<void> {
  const client = createClient(DfdaemonDownloadDefinition, channels, `unix:${daemonSocket(anyOf(daemons).directory)}`);
  const { url } = anyContent();
  const asked = DownloadTaskRequest.fromPartial({ download: { url } });
  let id = '';
  for await (const { taskId } of client.downloadTask(asked, { signal: AbortSignal.timeout(actionMs) })) id = taskId;
  await client.deleteLocalTask({ taskId: id }, { signal: AbortSignal.timeout(actionMs) });
}

async function signIn(): Promise<void> {
  const body = JSON.stringify({ name: 'root', password });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${rest}/users/signin`, { method: 'POST', body, headers });
  if (!answer.ok) throw new Error(`signing in: ${answer.status} ${await answer.text()}`);
  bearer = ((await answer.json()) as { token: string }).token;
}

async function lists(): Promise<void> {
  for (const path of ['schedulers', 'seed-peers', 'peers', 'jobs', 'nodes', 'users', 'audits']) {
    const answer = await fetch(`${rest}/${path}`, { headers: { authorization: `Bearer ${bearer}` } });
    await answer.arrayBuffer();
    if (answer.status >= 500) throw new Error(`GET ${path}: ${answer.status}`);
  }
}

async function preheat(): Promise<void> {
  const body = JSON.stringify({
    type: 'preheat',
    args: { type: 'file', url: anyContent().url },
    scheduler_cluster_ids: [1],
  });
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
  const answer = await fetch(`${rest}/jobs`, { method: 'POST', body, headers });
  if (!answer.ok) throw new Error(`a preheat: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

/** Each must be refused, and cost nothing that stays. */
async function strangers(): Promise<void> {
  const [denied] = await Promise.all([
    fetch(`${rest}/jobs`, { headers: { authorization: `Bearer ${randomBytes(8).toString('hex')}` } }),
    byProxy(`http://${managerAddress}/`, {}).then(({ status }) => {
      if (status < 400) throw new Error(`the manager by the proxy: ${status}`);
    }),
    ...nodes.map(async ({ process }) => {
      const address = process.addresses['grpc'] ?? process.addresses['peer'];
      await fetch(`http://${address}/`).catch(() => undefined);
    }),
  ]);
  await denied.arrayBuffer();
  if (denied.status !== 401) throw new Error(`a stranger's token: ${denied.status}`);
}

function cpuOfAll(): number {
  return sum(nodes.map(({ process }) => cpuSecondsOf(process.pid)));
}

function sample(): void {
  nextSampleMs += 60_000;
  const used = cpuOfAll();
  const minute = {
    minute: minutes.length + 1,
    rssMib: Object.fromEntries(nodes.map(({ name, process }) => [name, Math.round(rssBytes(process.pid) / 2 ** 20)])),
    tookMs: Object.fromEntries([...took].map(([name, times]) => [name, Math.round(median(times))])),
    processors: Math.round(100 * ((used - cpu) / 60)) / 100,
  };
  cpu = used;
  took.clear();
  minutes.push(minute);
  appendFileSync(values.output, `${JSON.stringify(minute)}\n`);
}

/** Per hour, by least squares. */
function slopeOf(points: readonly (readonly [hours: number, value: number])[]): number {
  const meanX = sum(points.map(([x]) => x)) / points.length;
  const meanY = sum(points.map(([, y]) => y)) / points.length;
  return sum(points.map(([x, y]) => (x - meanX) * (y - meanY))) / sum(points.map(([x]) => (x - meanX) ** 2));
}

function report(): void {
  const late = minutes.slice(Math.floor(minutes.length / 4));
  let grew = false;
  console.log(`${done} actions in ${minutes.length} minutes, ${values.policy}, ${failures.length} failed`);
  console.log('| | first quarter, median | last quarter, median | slope per hour after the first quarter |');
  console.log('| --- | --- | --- | --- |');
  const row = (name: string, unit: string, of: (minute: Minute) => number | undefined): number => {
    const points = late.flatMap((one) => {
      const value = of(one);
      return value === undefined ? [] : [[one.minute / 60, value] as const];
    });
    const quarter = Math.floor(minutes.length / 4);
    const values = (some: readonly Minute[]): number => median(some.flatMap((one) => of(one) ?? []));
    const slope = slopeOf(points);
    console.log(
      `| ${name}, ${unit} | ${values(minutes.slice(0, quarter))} | ${values(minutes.slice(-quarter))} | ${slope.toFixed(1)} |`,
    );
    return slope;
  };
  for (const { name } of nodes)
    grew = row(`RSS of ${name}`, 'MiB', ({ rssMib }) => rssMib[name]) > mostMibPerHour || grew;
  for (const name of new Set(actions.map((action) => action.name))) row(name, 'ms', ({ tookMs }) => tookMs[name]);
  row('processors of all', 'cores', ({ processors }) => processors);
  for (const failure of failures.slice(0, 20)) console.log(`failed: ${failure}`);
  process.exitCode = failures.length > 0 || grew ? 1 : 0;
  rmSync(directory.join('out'), { force: true, recursive: true });
}
