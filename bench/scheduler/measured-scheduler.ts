/**
 * Child process: the scheduler as it is, with a stopwatch around every event of its swarm. Two clocks: the wall's, and the
 * CPU time of this thread, which other programs on the machine do not lengthen.
 *
 * Answers each message with the figures since the one before.
 */
import { parseConfig } from '../../src/core/config/config.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';
import type { Swarm } from '../../src/swarm/scheduler/swarm.ts';
import { quantile } from './quantile.ts';

export interface Figures {
  readonly seconds: number;
  readonly events: number;
  /** Of the whole process, in seconds. */
  readonly cpuSec: number;
  readonly wallMs: Quantiles;
  readonly cpuMs: Quantiles;
  /** After a garbage collection. */
  readonly heapBytes: number;
  readonly rssBytes: number;
}

export type Quantiles = Readonly<Record<'p50' | 'p99' | 'p999' | 'max', number>>;

const { config } = parseConfig(
  schedulerConfigSchema,
  'server: { listenIP: 127.0.0.1, port: 0, requestRateLimit: 1000000, cacheDir: /dev/null/cache }',
  'scheduler.yaml',
);
const scheduler = await SchedulerService.create(config);
let wallMs: number[] = [];
let cpuMs: number[] = [];
for (const name of [
  'registerPeer',
  'piecesFinished',
  'taskMetadata',
  'peerLeft',
  'peerStarted',
  'tick',
  'reschedule',
] as const) {
  time(scheduler.brain.swarm, name);
}
await scheduler.start();

let since = { atMs: performance.now(), cpu: process.cpuUsage() };
process.on('message', () => process.send?.(figures()));
process.send?.(scheduler.addresses.grpc);

function time(swarm: Swarm, name: keyof Swarm): void {
  const event = (swarm[name] as (...args: unknown[]) => unknown).bind(swarm);
  Object.assign(swarm, {
    [name]: (...args: unknown[]): unknown => {
      const [startMs, start] = [performance.now(), process.threadCpuUsage()];
      try {
        return event(...args);
      } finally {
        const used = process.threadCpuUsage(start);
        cpuMs.push((used.user + used.system) / 1000);
        wallMs.push(performance.now() - startMs);
      }
    },
  });
}

function figures(): Figures {
  const cpu = process.cpuUsage(since.cpu);
  const result = {
    seconds: (performance.now() - since.atMs) / 1000,
    events: wallMs.length,
    cpuSec: (cpu.user + cpu.system) / 1e6,
    wallMs: quantiles(wallMs),
    cpuMs: quantiles(cpuMs),
  };
  wallMs = [];
  cpuMs = [];
  globalThis.gc?.();
  const { heapUsed: heapBytes, rss: rssBytes } = process.memoryUsage();
  since = { atMs: performance.now(), cpu: process.cpuUsage() };
  return { ...result, heapBytes, rssBytes };
}

function quantiles(values: number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    p999: quantile(sorted, 0.999),
    max: quantile(sorted, 1),
  };
}
