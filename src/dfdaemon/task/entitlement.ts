/**
 * Entitles a user with credentials to content that others fetched with theirs, if its origin gives the content to him,
 * too. Credentials alone prove nothing: anybody can invent a token, or name a server of his own that accepts it. So a
 * few bytes at an unpredictable place are requested from the origin with the user's credentials and compared with the
 * stored ones.
 */
import { createHash, randomInt } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { DragonflyError } from '../../core/errors.ts';
import { daemonLimits } from '../limits.ts';
import type { Sources } from '../source/sources.ts';
import { readFully } from '../storage/content-file.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { bringsCredentials } from './credentials.ts';
import type { DownloadRequest, FinishedPiece } from './open-task.ts';

interface Parts {
  readonly store: TaskStore;
  readonly sources: Sources;
}

export class Entitlement {
  readonly #parts: Parts;
  /** Requests that an origin has accepted. */
  readonly #shown = new LRUCache<string, true>({
    max: daemonLimits.entitlements,
    ttl: daemonLimits.entitlementMs,
  });

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The task is restricted, and the request has not yet shown that it is entitled. */
  isAsked(request: DownloadRequest, taskId: string): boolean {
    const { caller } = request;
    if (caller.kind !== 'local' || this.#parts.store.get(taskId)?.restricted !== true) return false;
    // The task id is computed from the credentials, so a request with the same id has the same credentials.
    if (request.secretsInId === true || !bringsCredentials(request)) return false;
    return !this.#shown.has(keyOf(request, taskId));
  }

  /**
   * Whether the origin gives these bytes to the request; false when it has others. Rejects with the origin's refusal,
   * and when the origin cannot be asked.
   */
  async isGiven(
    request: DownloadRequest,
    taskId: string,
    { number, offset, length }: Pick<FinishedPiece, 'number' | 'offset' | 'length'>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const count = Math.min(daemonLimits.entitlementBytes, length);
    const start = offset + randomInt(length - count + 1);
    const { opened: _, ...plain } = request;
    const body = await this.#parts.sources.open({ ...plain, signal, range: { start, length: count } });
    const enough = new DragonflyError('CANCELLED', 'enough was compared');
    const given = Buffer.alloc(count);
    let at = body.startBytes;
    try {
      await body.readTo((block) => {
        const skipped = Math.max(0, start - at);
        if (skipped < block.length && at - start < count)
          block.copy(given, Math.max(0, at - start), skipped, skipped + count);
        at += block.length;
        if (at >= start + count) throw enough;
      });
    } catch (error) {
      body.cancel();
      if (error !== enough) throw error;
    }
    if (at < start + count) return false;
    using piece = this.#parts.store.get(taskId)?.openPiece(number);
    if (!piece) throw new DragonflyError('PIECE_UNAVAILABLE', `task ${taskId} was removed while it was read`);
    const held = Buffer.alloc(count);
    await readFully(piece.fd, held, start);
    if (!held.equals(given)) return false;
    this.#shown.set(keyOf(request, taskId), true);
    return true;
  }
}

function keyOf({ url, header, objectStorage, hdfs, hub, caller }: DownloadRequest, taskId: string): string {
  const uid = caller.kind === 'local' ? caller.uid : undefined;
  const text = JSON.stringify([taskId, uid, url, Object.entries(header), objectStorage, hdfs, hub]);
  return createHash('sha256').update(text).digest('base64');
}
