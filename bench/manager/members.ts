/** Members that register and keep alive, in a worker of the load bench: its event loop must not delay the requests. */
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { ManagerDefinition, SourceType, type KeepAliveRequest } from '../../gen/manager/v2/manager.ts';

export interface MembersOptions {
  readonly address: string;
  readonly count: number;
  readonly intervalMs: number;
}

const { address, count, intervalMs } = workerData as MembersOptions;
const registering = 20;
const channels = new Channels();
const client = createClient(ManagerDefinition, channels, address);

await Promise.all(Array.from({ length: registering }, (_, worker) => register(worker)));
parentPort?.postMessage('registered');
await Promise.all(Array.from({ length: count }, (_, index) => client.keepAlive(beats(index)).catch(() => undefined)));

async function register(worker: number): Promise<void> {
  for (let index = worker; index < count; index += registering) {
    const { clusterId: schedulerClusterId, ...member } = identity(index);
    const request = { ...member, schedulerClusterId, port: 8002, features: [], config: new Uint8Array() };
    await client.updateScheduler(request, { timeoutMs: 60_000 });
  }
}

function identity(index: number): KeepAliveRequest {
  const ip = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
  return { sourceType: SourceType.SCHEDULER_SOURCE, hostname: `scheduler-${index}`, ip, clusterId: 1 };
}

/** Until the worker is ended; spread evenly over the interval. */
async function* beats(index: number): AsyncGenerator<KeepAliveRequest> {
  await delay((index / count) * intervalMs);
  for (;;) {
    yield identity(index);
    await delay(intervalMs);
  }
}
