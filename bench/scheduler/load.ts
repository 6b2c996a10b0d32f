/**
 * Load on one real scheduler process: many hosts, each with a downloading peer that streams its reports.
 *
 *   node bench/scheduler/load.ts [--peers 10000] [--tasks 10] [--connections 200] [--arrivals 500] [--report-every 5s]
 *                                [--seconds 20] [--original] [--json]
 *
 * Prints how long the swarm took for its decisions (wall and CPU time of each event), how long peers waited for their first
 * answer, and the memory the scheduler needs per peer. Peers download nothing: they report as if they did.
 */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { parseDurationMs } from '../../src/core/units.ts';
import { LoadedPeer, pieceCount } from './loaded-peer.ts';
import type { Figures } from './measured-scheduler.ts';
import { quantile } from './quantile.ts';
import { SchedulerProcess } from './scheduler-process.ts';
import { Swarms } from './swarms.ts';

const { values: flags } = parseArgs({
  options: {
    peers: { type: 'string', default: '10000' },
    tasks: { type: 'string', default: '10' },
    connections: { type: 'string', default: '200' },
    arrivals: { type: 'string', default: '500' },
    'report-every': { type: 'string', default: '5s' },
    seconds: { type: 'string', default: '20' },
    original: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const options = {
  peers: Number(flags.peers),
  tasks: Number(flags.tasks),
  connections: Number(flags.connections),
  arrivalsPerSec: Number(flags.arrivals),
  reportEveryMs: parseDurationMs(flags['report-every']),
  seconds: Number(flags.seconds),
  original: flags.original,
};

await using scheduler = await SchedulerProcess.start();
await using swarms = new Swarms(scheduler.address, options);

const stage = (text: string): boolean => process.stderr.write(`${text}\n`);

const idle = await scheduler.figures();
stage(`announcing ${options.peers} hosts`);
const announceStartMs = performance.now();
await swarms.announceHosts();
const announceMs = performance.now() - announceStartMs;
const withHosts = await scheduler.figures();
stage('peers arrive');
await swarms.arrive();
const arrivals = await scheduler.figures();
stage('peers stream');
await swarms.stream(options.seconds * 1000);
const steady = await scheduler.figures();

const waits = swarms.peers.flatMap((peer) => peer.firstAnswerMs ?? []).sort((a, b) => a - b);
const result = {
  ...options,
  pieceCount,
  cpus: availableParallelism(),
  loadAverage: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  open: swarms.peers.filter((peer) => peer.open).length,
  withParents: swarms.peers.filter((peer) => peer.parents.size > 0 || peer.leased).length,
  failures: LoadedPeer.failures(swarms.peers),
  announcedHostsPerSec: Math.round((options.peers / announceMs) * 1000),
  firstAnswerMs: { p50: quantile(waits, 0.5), p99: quantile(waits, 0.99), max: quantile(waits, 1) },
  arriving: summary(arrivals),
  streaming: { ...summary(steady), reportsPerSec: Math.round(swarms.reportsSent / options.seconds) },
  memory: {
    rssMiB: [idle, withHosts, steady].map(({ rssBytes }) => Math.round(rssBytes / 2 ** 20)),
    heapKibPerHost: perPeer(withHosts.heapBytes - idle.heapBytes),
    heapKibPerPeer: perPeer(steady.heapBytes - withHosts.heapBytes),
    rssKibPerPeer: perPeer(steady.rssBytes - withHosts.rssBytes),
  },
};
console.log(flags.json ? JSON.stringify(result) : result);
const within = [arrivals, steady].every(({ cpuMs }) => cpuMs.p99 < 5);
console.log(`p99 of a decision ${within ? 'is' : 'is NOT'} below 5 ms of CPU time`);
process.exitCode = within && result.open === options.peers ? 0 : 1;

function summary({ seconds, events, cpuSec, wallMs, cpuMs }: Figures) {
  return {
    seconds: Math.round(seconds * 10) / 10,
    eventsPerSec: Math.round(events / seconds),
    decisionCpuMs: cpuMs,
    decisionWallMs: wallMs,
    processCpuMsPerEvent: Math.round((cpuSec / events) * 1e6) / 1000,
    processCpuShare: Math.round((cpuSec / seconds) * 100) / 100,
  };
}

function perPeer(bytes: number): number {
  return Math.round(bytes / options.peers / 102.4) / 10;
}
