/** Heartbeats to one scheduler. A connection stays open while a process hangs, so only messages show that it is alive. */
import { setTimeout as delay } from 'node:timers/promises';
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import { SchedulerDefinition, type BeatHostRequest } from '../../../gen/scheduler/v2/scheduler.ts';
import { daemonLimits } from '../limits.ts';

export interface HostBeatsOptions {
  readonly channels: Channels;
  readonly hostId: string;
  readonly logger: Logger;
}

/** Sends heartbeats until it is disposed of. A scheduler that does not accept them gets none. */
export function beatsTo(
  address: string,
  { channels, hostId, logger }: HostBeatsOptions,
  readHost: () => Promise<Host> | undefined,
): Disposable {
  const ended = new AbortController();
  const { signal } = ended;
  const client = createClient(SchedulerDefinition, channels, address);
  client.beatHost(beats(hostId, readHost, signal), { signal, timeoutMs: undefined }).catch((error: unknown) => {
    if (!signal.aborted) logger.debug({ scheduler: address, reason: toDragonflyError(error).message }, 'no beats');
  });
  return { [Symbol.dispose]: () => ended.abort() };
}

async function* beats(
  hostId: string,
  readHost: () => Promise<Host> | undefined,
  signal: AbortSignal,
): AsyncGenerator<BeatHostRequest, void, undefined> {
  while (!signal.aborted) {
    // a failed look at the disk must not make the host look dead
    const host = await readHost()?.catch(() => undefined);
    yield {
      hostId,
      diskTotal: host?.disk?.total ?? 0,
      diskFree: host?.disk?.free ?? 0,
      memoryTotal: host?.memory?.total ?? 0,
      memoryAvailable: host?.memory?.available ?? 0,
      uploadsRunning: host?.network?.uploadTcpConnectionCount ?? 0,
    };
    await delay(daemonLimits.beatMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
