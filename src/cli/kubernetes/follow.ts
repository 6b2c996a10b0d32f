/** Follows the objects of one kind at an API server: all of them first, then every change. */
import { setTimeout as delay } from 'node:timers/promises';
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import { listObjects, watchObjects, type KubernetesApi, type ObjectEvent } from './client.ts';

export interface Followed {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Called with all objects: at the beginning, and whenever changes may have been missed. */
  readonly reset: (items: readonly unknown[]) => void;
  readonly change: (event: ObjectEvent) => void;
  readonly logger: Logger;
}

/** Never throws; ends when the signal aborts. While the API server is away, the known objects stay. */
export async function follow(api: KubernetesApi, followed: Followed, signal: AbortSignal): Promise<void> {
  const { path, query = {}, reset, change, logger } = followed;
  let version: string | undefined;
  for (let failures = 0; !signal.aborted;) {
    try {
      if (version === undefined) {
        const list = await listObjects(api, { path, query }, signal);
        reset(list.items);
        version = list.version;
      }
      const watch = watchObjects(api, { path, query, version }, signal);
      const startedAtMs = performance.now();
      for (let next = await watch.next(); ; next = await watch.next()) {
        failures = 0;
        if (next.done) {
          version = next.value;
          break;
        }
        change(next.value);
      }
      // without a pause, a server that ends every watch at once would be flooded
      if (performance.now() - startedAtMs < shortWatchMs) await pause(shortWatchMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      // The watch broke off, so changes may have been missed.
      version = undefined;
      const { code, message } = toDragonflyError(error);
      if (code === 'FAILED_PRECONDITION' && failures === 0) {
        failures += 1;
        continue;
      }
      failures += 1;
      logger.warn({ error: message, path }, 'the API server tells nothing');
      await pause(backOffMs(failures), signal);
    }
  }
}

const shortWatchMs = 1_000;

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
