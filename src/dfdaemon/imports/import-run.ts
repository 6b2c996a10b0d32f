/**
 * One import from the staged file to its acknowledgement. A scheduler that dies in between is told again when it is back, or its successor is; whatever
 * else goes wrong, everything is taken back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { fromKeptContent, keptUrl, toKeptContent } from '../../rpc/fields/kept-content.ts';
import type { PersistentCacheTask } from '../../../gen/common/v2/common.ts';
import type { UploadPersistentCacheTaskStartedRequest } from '../../../gen/scheduler/v2/scheduler.ts';
import type { KeptFacts } from '../../swarm/replicas/kept-task.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import type { StagedImport } from './importer.ts';
import { recordOf } from './kept-holding.ts';
import { importLimits } from './limits.ts';

export interface ImportRunOptions {
  readonly store: TaskStore;
  readonly engine: TaskEngine;
  readonly schedulers: Schedulers;
  readonly hostId: string;
  readonly peerId: string;
  readonly logger: Logger;
}

export class ImportRun {
  readonly #options: ImportRunOptions;
  readonly #facts: KeptFacts;
  readonly #ids: { readonly hostId: string; readonly taskId: string; readonly peerId: string };
  readonly #staged: StagedImport;
  /** The store has it. */
  #adopted = false;

  constructor(options: ImportRunOptions, facts: KeptFacts, staged: StagedImport) {
    this.#options = options;
    this.#facts = facts;
    this.#staged = staged;
    this.#ids = { hostId: options.hostId, taskId: facts.taskId, peerId: options.peerId };
  }

  /** Resolves when as many nodes hold it as were asked for. Throws what schedulers say, ALREADY_EXISTS, IN_USE, the signal's reason. */
  async keep(signal: AbortSignal): Promise<PersistentCacheTask> {
    const { schedulers } = this.#options;
    try {
      for (let retryMs: number = importLimits.retryMs; ; retryMs = Math.min(2 * retryMs, importLimits.mostRetryMs)) {
        try {
          return await this.#attempt(signal);
        } catch (error) {
          const { code } = toDragonflyError(error);
          if (signal.aborted || !isPassing(code, this.#adopted)) throw error;
          if (code === 'HOST_UNKNOWN') await schedulers.announce();
          await delay(retryMs, undefined, { signal });
        }
      }
    } catch (error) {
      if (this.#adopted) await this.#takeBack();
      throw signal.aborted ? (signal.reason as Error) : error;
    }
  }

  async #attempt(signal: AbortSignal): Promise<PersistentCacheTask> {
    const { store, schedulers } = this.#options;
    const { taskId } = this.#facts;
    const there = await this.#begin(signal);
    if (there) return there;
    if (!this.#adopted) this.#adopt();
    this.#adopted = true;
    const call = { signal, timeoutMs: importLimits.timeoutMs };
    const task = await schedulers.ask(
      taskId,
      (client) => client.uploadPersistentCacheTaskFinished(this.#ids, call),
      signal,
    );
    if (task.kept) store.get(taskId)?.keep(recordOf(fromKeptContent(taskId, task.kept)), true);
    return task;
  }

  /** What is there already; undefined when this host is to bring it. */
  async #begin(signal: AbortSignal): Promise<PersistentCacheTask | undefined> {
    const { schedulers, hostId } = this.#options;
    const { taskId } = this.#facts;
    const request = started(this.#ids, this.#facts);
    try {
      await schedulers.ask(taskId, (client) => client.uploadPersistentCacheTaskStarted(request, { signal }), signal);
      return undefined;
    } catch (error) {
      if (toDragonflyError(error).code !== 'ALREADY_EXISTS') throw error;
      // A scheduler that has forgotten the beginning has heard of this node's copy.
      if (this.#adopted) return undefined;
      const there = await schedulers
        .ask(taskId, (client) => client.statPersistentCacheTask({ hostId, taskId }, { signal }), signal)
        .catch(() => undefined);
      if (there && this.#isSame(there)) return there;
      throw error;
    }
  }

  #isSame({ state, contentLength, kept }: PersistentCacheTask): boolean {
    const { contentLengthBytes, digest } = this.#facts;
    return state === 'Succeeded' && contentLength === contentLengthBytes && kept?.digest === digest;
  }

  #adopt(): void {
    const { taskId, tag, application, digest } = this.#facts;
    const { store, engine } = this.#options;
    const kept = recordOf(this.#facts);
    const known = store.get(taskId);
    if (known?.state === 'finished' && known.identity.digest === digest && known.record.kept)
      return known.keep(kept, true);
    engine.stop(taskId, new DragonflyError('CANCELLED', 'the task is imported anew'));
    store.adopt(taskId, { url: keptUrl(taskId), tag, application, digest }, { staged: this.#staged, kept });
  }

  /** Never throws: what cannot be told the scheduler finds out by itself. */
  async #takeBack(): Promise<void> {
    const { store, schedulers, logger } = this.#options;
    const { taskId } = this.#facts;
    store.remove(taskId, { quietly: true });
    const signal = AbortSignal.timeout(importLimits.takeBackMs);
    try {
      const request = { ...this.#ids, description: 'the import did not come to its end' };
      await schedulers.ask(taskId, (client) => client.uploadPersistentCacheTaskFailed(request, { signal }), signal);
    } catch (error) {
      logger.debug({ taskId, error: toDragonflyError(error).message }, 'could not tell that an import failed');
    }
  }
}

function started(
  ids: { readonly hostId: string; readonly taskId: string; readonly peerId: string },
  facts: KeptFacts,
): UploadPersistentCacheTaskStartedRequest {
  const { replicas, contentLengthBytes, pieceLengthBytes, tag, application } = facts;
  const kept = toKeptContent(facts, true);
  return {
    ...ids,
    persistentReplicaCount: replicas,
    pieceLength: pieceLengthBytes,
    contentLength: contentLengthBytes,
    pieceCount: Math.ceil(contentLengthBytes / pieceLengthBytes),
    ttl: kept.ttl,
    ...(tag !== undefined && { tag }),
    ...(application !== undefined && { application }),
    kept,
  };
}

/** A scheduler that is away comes back, and may have forgotten what it was told. */
function isPassing(code: string, adopted: boolean): boolean {
  if (code === 'UNAVAILABLE' || code === 'HOST_UNKNOWN') return true;
  return adopted && (code === 'NOT_FOUND' || code === 'FAILED_PRECONDITION');
}
