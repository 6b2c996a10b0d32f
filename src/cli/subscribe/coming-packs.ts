/**
 * Brings content of versions that are being published to this node, before they count: when one does, most of it is here. What fails is left to the
 * version itself.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { isPackSignedBy } from '../../core/credentials/release-signature.ts';
import { toDragonflyError } from '../../core/errors.ts';
import { deadlineSignal } from '../../core/process/lifecycle.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import type { ComingPack } from '../../../gen/manager/v2/release.ts';
import type { ReleaseDaemon } from '../releases/release-daemon.ts';

const packsAtOnce = 3;
const rememberedPacks = 1_000;
/** After this time a pack is left, whose publisher may have died. */
const loadMs = 15 * 60_000;

export interface ComingPacksOptions {
  readonly daemon: Pick<ReleaseDaemon, 'load' | 'releases'>;
  readonly name: string;
  /** As for versions: content must be signed by one of these keys; when there are none, no signature is required. */
  readonly requiredKeys: readonly string[];
  readonly signal: AbortSignal;
}

/** Resolves when the signal aborts, or where the manager or the node knows nothing of coming content. Never rejects. */
export async function loadComingPacks({ daemon, name, requiredKeys, signal }: ComingPacksOptions): Promise<void> {
  const running = new Map<string, Promise<void>>();
  // Every new stream begins with what was announced lately.
  const loaded = new LRUCache<string, true>({ max: rememberedPacks });
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      for await (const pack of daemon.releases.watchPacks({ name }, { signal })) {
        failures = 0;
        if (running.has(pack.taskId) || loaded.has(pack.taskId) || !isWanted(pack, requiredKeys)) continue;
        if (running.size >= packsAtOnce) await Promise.race(running.values());
        const { taskId } = pack;
        loaded.set(taskId, true);
        running.set(
          taskId,
          load(daemon, taskId, signal).finally(() => running.delete(taskId)),
        );
      }
    } catch (error) {
      if (toDragonflyError(error).code === 'UNSUPPORTED') break;
    }
    await delay(backOffMs(failures), undefined, { signal }).catch(() => undefined);
  }
  await Promise.all(running.values());
}

function isWanted({ name, version, taskId, publicKey, signature }: ComingPack, keys: readonly string[]): boolean {
  if (keys.length === 0) return true;
  return keys.includes(publicKey) && isPackSignedBy({ name, version, taskId }, { publicKey, signature });
}

async function load(daemon: ComingPacksOptions['daemon'], taskId: string, signal: AbortSignal): Promise<void> {
  using deadline = deadlineSignal(signal, loadMs);
  await daemon.load(taskId, deadline.signal).catch(() => undefined);
}
