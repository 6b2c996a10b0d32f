/**
 * Members that keep alive and people who use the API, on SQLite: how long a REST request takes meanwhile.
 *
 *   node bench/manager/load.ts [--members 1000] [--requests-per-sec 100] [--seconds 20]
 *
 * The manager runs in a process of its own; the load comes from this one, on the same machine.
 */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { stringify } from 'yaml';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import type { MembersOptions } from './members.ts';

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '1000' },
    'requests-per-sec': { type: 'string', default: '100' },
    seconds: { type: 'string', default: '20' },
  },
});
const [memberCount, requestsPerSec, seconds] = [
  Number(values.members),
  Number(values['requests-per-sec']),
  Number(values.seconds),
];

const keepAliveIntervalMs = 5_000;
const requiredP99Ms = 50;
const password = 'benchmark password';
const directory = await mkdtemp(join(tmpdir(), 'manager-bench-'));
const config = join(directory, 'manager.yaml');
await writeFile(
  config,
  stringify({
    server: { grpc: { listenIP: '127.0.0.1', port: { start: 0 } }, rest: { addr: '127.0.0.1:0' } },
    database: { sqlite: { path: join(directory, 'manager.db') } },
  }),
);
const manager = await ManagedProcess.start({
  name: 'manager',
  program: 'manager',
  args: ['--config', config],
  env: { DRAGONFLY_INITIAL_ROOT_PASSWORD: password },
});
const members = new Worker(new URL('members.ts', import.meta.url), {
  workerData: {
    address: manager.address('grpc'),
    count: memberCount,
    intervalMs: keepAliveIntervalMs,
  } satisfies MembersOptions,
});
try {
  const base = `http://${manager.address('rest')}`;
  const token = await signIn(base);
  await once(members, 'message');
  await active(base, token);
  const cpuBefore = await cpuSeconds(base);
  const latenciesMs = await load(base, token);
  report(latenciesMs, ((await cpuSeconds(base)) - cpuBefore) / seconds);
} finally {
  await members.terminate();
  await manager.stop();
  await rm(directory, { recursive: true, force: true });
}

async function active(base: string, token: string): Promise<void> {
  for (let attempt = 0; attempt < 120; attempt += 1) {
    const response = await fetch(`${base}/api/v1/schedulers?state=active&per_page=1`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await response.arrayBuffer();
    if (Number(response.headers.get('x-total-count')) === memberCount) return;
    await delay(500);
  }
  throw new Error('the members did not become active');
}

/** A fixed rate, whatever the answers take: a slow answer delays no request. */
async function load(base: string, token: string): Promise<number[]> {
  const latenciesMs: number[] = [];
  const running: Promise<void>[] = [];
  const total = requestsPerSec * seconds;
  const startMs = performance.now();
  for (let index = 0; index < total; index += 1) {
    const dueMs = startMs + (index / requestsPerSec) * 1000;
    await delay(Math.max(0, dueMs - performance.now()));
    running.push(
      send(base, token, index).then(() => {
        latenciesMs.push(performance.now() - dueMs);
      }),
    );
  }
  await Promise.all(running);
  return latenciesMs;
}

/** Nine reads, one write. */
async function send(base: string, token: string, index: number): Promise<void> {
  const reads = [
    'clusters',
    'schedulers?per_page=50',
    'clusters/1',
    'configs',
    'applications',
    'jobs',
    'peers',
    'session',
    'schedulers/1',
  ];
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response =
    index % 10 === 9
      ? await fetch(`${base}/api/v1/configs`, {
          method: 'POST',
          headers,
          body: JSON.stringify({ name: `k${index}`, value: 'v', user_id: 1 }),
        })
      : await fetch(`${base}/api/v1/${reads[index % 10] ?? ''}`, { headers });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
}

async function signIn(base: string): Promise<string> {
  const body = JSON.stringify({ name: 'root', password });
  const response = await fetch(`${base}/api/v1/users/signin`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
  return ((await response.json()) as { token: string }).token;
}

async function cpuSeconds(base: string): Promise<number> {
  const text = await (await fetch(`${base}/metrics`)).text();
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(text)?.[1]);
}

function report(latenciesMs: number[], cores: number): void {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
  console.log(
    `${cpus().length} cores, node ${process.version}; ${memberCount} members keep alive every ${keepAliveIntervalMs / 1000} s`,
  );
  console.log(
    `${sorted.length} requests at ${requestsPerSec}/s: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`,
  );
  const loadAverage = loadavg()[0] ?? 0;
  console.log(`load average of the machine ${loadAverage.toFixed(1)}`);
  console.log(`the manager used ${cores.toFixed(2)} cores`);
  if (Number(at(0.99)) >= requiredP99Ms) throw new Error(`p99 is not below ${requiredP99Ms} ms`);
}
