/**
 * How much processor time each event of the swarm takes, without the streams around it: hosts are announced, peers of a few tasks
 * arrive while nobody is at the origin yet, the first lease is granted, all report pieces, and later they fall silent.
 *
 *   node bench/scheduler/events.ts [--peers 10000] [--tasks 10] [--large]
 *
 * `--large` is content in pieces of 16 MiB, for which peers get more neighbours once that is known.
 */
import { parseArgs } from 'node:util';
import type { HostInfo, RegisterPeer } from '../../src/swarm/shared/events.ts';
import { allFeatures } from '../../src/swarm/shared/events.ts';
import { PieceSet } from '../../src/swarm/shared/piece-set.ts';
import { seededRandom } from '../../src/swarm/shared/random.ts';
import { Swarm } from '../../src/swarm/scheduler/swarm.ts';
import { quantile } from './quantile.ts';

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '10000' },
    tasks: { type: 'string', default: '10' },
    large: { type: 'boolean', default: false },
  },
});
const peers = Number(values.peers);
const tasks = Number(values.tasks);
const pieceLengthBytes = (values.large ? 16 : 4) * 2 ** 20;
const pieceCount = 256;
const random = seededRandom(1);
const swarm = new Swarm({ random });
const spent = new Map<string, number[]>();
let nowMs = 0;
let messages = 0;

for (let index = 0; index < peers; index += 1) swarm.announceHost(hostOf(index), nowMs);
const heapBytes = heapUsed();
for (let index = 0; index < peers; index += 1) {
  pass(2);
  timed('registerPeer', () => swarm.registerPeer(requestOf(index), nowMs));
  if (index < tasks) swarm.originFailed(`peer-${index}`, { permanent: false, error: { message: 'busy' } }, nowMs);
}
pass(5000);
for (let task = 0; task < tasks; task += 1) {
  const layout = { contentLengthBytes: pieceCount * pieceLengthBytes, pieceLengthBytes };
  const holder = [...(swarm.task(taskOf(task))?.leases.values() ?? [])][0]?.holder.id ?? `peer-${task}`;
  timed('taskMetadata', () => swarm.taskMetadata(holder, layout, nowMs, true));
}
pass(1000);
for (let index = 0; index < peers; index += 1) {
  pass(1);
  const first = Math.floor(random() * (pieceCount - 8));
  timed('piecesFinished', () =>
    swarm.piecesFinished(`peer-${index}`, { pieces: PieceSet.range(first, 8), from: 'local' }, nowMs),
  );
}
pass(10_000);
console.log('| event | times | CPU ms p50 | p99 | longest | all |\n| --- | --- | --- | --- | --- | --- |');
for (const [name, list] of spent) {
  const sorted = list.toSorted((a, b) => a - b);
  const [p50, p99, longest] = [0.5, 0.99, 1].map((share) => quantile(sorted, share).toFixed(2));
  const all = list.reduce((sum, ms) => sum + ms, 0).toFixed(0);
  console.log(`| ${name} | ${list.length} | ${p50} | ${p99} | ${longest} | ${all} |`);
}
console.log(`\n${messages} messages, ${((heapUsed() - heapBytes) / peers / 1024).toFixed(1)} KiB of heap per peer`);

/** Time goes on, and what falls due meanwhile is done. */
function pass(ms: number): void {
  const endMs = nowMs + ms;
  for (let due = swarm.nextTickMs(); due !== undefined && due <= endMs; due = swarm.nextTickMs()) {
    nowMs = Math.max(nowMs, due);
    timed('tick', () => swarm.tick(nowMs));
  }
  nowMs = endMs;
}

function timed(name: string, event: () => readonly unknown[]): void {
  const start = process.threadCpuUsage();
  messages += event().length;
  const { user, system } = process.threadCpuUsage(start);
  const list = spent.get(name) ?? [];
  list.push((user + system) / 1000);
  spent.set(name, list);
}

function hostOf(index: number): HostInfo {
  const location = `region-${index % 3}|zone-${index % 9}`;
  const own = { hostId: `host-${index}`, idc: `idc-${index % 3}`, location };
  return { ...own, type: 'normal', maxTxBitsPerSec: 1e10, disableShared: false, announceIntervalMs: 300_000 };
}

function requestOf(index: number): RegisterPeer {
  const ids = { peerId: `peer-${index}`, taskId: taskOf(index % tasks), hostId: `host-${index}` };
  return { ...ids, url: 'http://origin.test/', priority: 0, needBackToSource: false, disableBackToSource: false, metadataOnly: false, features: allFeatures }; // prettier-ignore
}

function taskOf(index: number): string {
  return `task-${index}`;
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
