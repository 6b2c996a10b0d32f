/**
 * One import, from the staged file to its acknowledgement. If the scheduler dies in between, it is told again when it
 * is back, or its successor is. On any other failure everything is undone, except content that was here and
 * acknowledged before.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { formatDigest } from '../../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { fromKeptContent, keptUrl } from '../../rpc/fields/kept-content.ts';
import type { PersistentTask } from '../../../gen/common/v2/common.ts';
import { expiresMs, type KeptFacts, type StoredObject } from '../../swarm/replicas/kept-task.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { KeptRecord } from '../storage/task-record.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import type { ImportCalls, ImportIds } from './import-calls.ts';
import type { StagedImport } from './importer.ts';
import { keptHolding, recordOf } from './kept-holding.ts';
import { importLimits } from './limits.ts';
import { storedDigest } from './stored-digest.ts';

export interface ImportRunOptions<Task extends PersistentTask> {
  readonly calls: ImportCalls<Task>;
  readonly store: TaskStore;
  readonly engine: TaskEngine;
  readonly schedulers: Schedulers;
  readonly hostId: string;
  readonly peerId: string;
  readonly logger: Logger;
  /** The upload states in which the same content counts as already on its way to its store, so that it need not be imported again. */
  readonly accepted?: readonly string[] | undefined;
  /** The part of the upload that only this node does. */
  readonly upload?: KeptRecord['upload'];
  /** Writes the content to its store before the import is reported as finished. */
  readonly write?: ((task: StoredTask, signal: AbortSignal) => Promise<StoredObject>) | undefined;
  /** This node holds the content, and its scheduler knows of the import: others can get it from here. */
  readonly onHeld?: ((taskId: string) => void) | undefined;
  /** Ends what `write` has begun. */
  readonly abandon?: ((taskId: string) => Promise<void>) | undefined;
}

interface Before {
  readonly kept: KeptRecord;
  readonly persistent: boolean;
}

export class ImportRun<Task extends PersistentTask> {
  readonly #options: ImportRunOptions<Task>;
  #facts: KeptFacts;
  readonly #ids: ImportIds;
  readonly #staged: StagedImport;
  /** The store has it. */
  #adopted = false;
  /** How the same content was already kept here. */
  #before: Before | undefined;

  constructor(options: ImportRunOptions<Task>, facts: KeptFacts, staged: StagedImport) {
    this.#options = options;
    this.#facts = facts;
    this.#staged = staged;
    this.#ids = { hostId: options.hostId, taskId: facts.taskId, peerId: options.peerId };
  }

  /** Resolves when as many nodes hold it as were requested. Throws the schedulers' errors, ALREADY_EXISTS, IN_USE, the signal's reason. */
  async keep(signal: AbortSignal): Promise<Task> {
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

  async #attempt(signal: AbortSignal): Promise<Task> {
    const { store, schedulers, calls, write, onHeld } = this.#options;
    const { taskId } = this.#facts;
    const there = await this.#begin(signal);
    if (there) return there;
    if (!this.#adopted) await this.#adopt(signal);
    this.#adopted = true;
    const adopted = store.get(taskId);
    if (write && adopted) this.#facts = { ...this.#facts, object: await write(adopted, signal) };
    const call = { signal, timeoutMs: importLimits.timeoutMs };
    const finished = schedulers.ask(taskId, (client) => calls.finished(client, this.#ids, this.#facts, call), signal);
    onHeld?.(taskId);
    const task = await finished;
    if (task.kept) store.get(taskId)?.keep(recordOf(fromKeptContent(taskId, task.kept)), true);
    return task;
  }

  /** The existing task; undefined when this host has to provide the content. */
  async #begin(signal: AbortSignal): Promise<Task | undefined> {
    const { schedulers, hostId, calls } = this.#options;
    const { taskId } = this.#facts;
    try {
      await schedulers.ask(taskId, (client) => calls.started(client, this.#ids, this.#facts, { signal }), signal);
      return undefined;
    } catch (error) {
      if (toDragonflyError(error).code !== 'ALREADY_EXISTS') throw error;
      // A scheduler that has forgotten the beginning hears of this node's copy.
      if (this.#adopted) {
        await this.#tellHeld(signal);
        return undefined;
      }
      const there = await schedulers
        .ask(taskId, (client) => calls.stat(client, { hostId, taskId }, { signal }), signal)
        .catch(() => undefined);
      if (there && this.#isSame(there)) return there;
      throw error;
    }
  }

  #isSame({ state, contentLength, kept }: PersistentTask): boolean {
    const { contentLengthBytes, digest } = this.#facts;
    const { accepted } = this.#options;
    const isAsFar = accepted === undefined || accepted.includes(kept?.object?.state ?? '');
    return state === 'Succeeded' && contentLength === contentLengthBytes && kept?.digest === digest && isAsFar;
  }

  /** Throws ALREADY_EXISTS when this node keeps other content under the id: a scheduler that has forgotten it lets everything in. */
  async #adopt(signal: AbortSignal): Promise<void> {
    const { taskId, tag, application, digest } = this.#facts;
    const { store, engine, upload } = this.#options;
    const kept = { ...recordOf(this.#facts), ...(upload && { upload }) };
    const known = store.get(taskId);
    const before = known?.record.kept;
    const persistent = known?.record.row.persistent === 1;
    const isSame = known !== undefined && before !== undefined && (await this.#isSameContent(known, signal));
    if (isSame) this.#before = { kept: before, persistent };
    if (isSame && known.state === 'finished') {
      const { createdMs, ttlMs } = persistent && expiresMs(before) > expiresMs(kept) ? before : kept;
      return known.keep({ ...kept, createdMs, ttlMs, ...(before.upload && { upload: before.upload }) }, true);
    }
    if (persistent && !isSame)
      throw new DragonflyError('ALREADY_EXISTS', `this node keeps other content as task ${taskId}`, {
        hint: 'Delete that first, with "dfcache rm" or "dfstore rm".',
      });
    engine.stop(taskId, new DragonflyError('CANCELLED', 'the task is imported anew'));
    store.adopt(taskId, { url: keptUrl(this.#facts), tag, application, digest }, { staged: this.#staged, kept });
  }

  /** What a daemon of the original has imported carries no digest. */
  async #isSameContent(known: StoredTask, signal: AbortSignal): Promise<boolean> {
    const { contentLengthBytes, digest } = this.#facts;
    if (known.contentLengthBytes !== contentLengthBytes) return false;
    if (known.identity.digest !== undefined) return known.identity.digest === digest;
    return known.state === 'finished' && formatDigest(await storedDigest(known, 'sha256', signal)) === digest;
  }

  /** Never throws: what cannot be told the scheduler finds out by itself. */
  async #takeBack(): Promise<void> {
    const { store, schedulers, logger, calls, abandon } = this.#options;
    const { taskId } = this.#facts;
    const stored = store.get(taskId);
    if (stored && this.#before) return this.#putBack(stored, this.#before);
    await abandon?.(taskId);
    store.remove(taskId, { quietly: true });
    const signal = AbortSignal.timeout(importLimits.takeBackMs);
    try {
      const request = { ...this.#ids, description: 'the import did not come to its end' };
      await schedulers.ask(taskId, (client) => calls.failed(client, request, { signal }), signal);
    } catch (error) {
      logger.debug({ taskId, error: toDragonflyError(error).message }, 'could not tell that an import failed');
    }
  }

  /** A scheduler that hears of a failure deletes the content everywhere, so it is told of a holder instead. Never throws. */
  async #putBack(stored: StoredTask, { kept, persistent }: Before): Promise<void> {
    const { object } = stored.record.kept ?? {};
    stored.keep(object?.state === 'stored' ? { ...kept, object } : kept, persistent);
    await this.#tellHeld(AbortSignal.timeout(importLimits.takeBackMs));
  }

  /** Never throws. */
  async #tellHeld(signal: AbortSignal): Promise<void> {
    const { store, schedulers, hostId, logger } = this.#options;
    const { taskId } = this.#facts;
    const stored = store.get(taskId);
    const holding = stored && keptHolding(stored, hostId);
    if (!holding) return;
    try {
      await schedulers.ask(
        taskId,
        (client) => client.announceTasks({ hostId, holdings: [holding] }, { signal }),
        signal,
      );
    } catch (error) {
      logger.debug({ taskId, error: toDragonflyError(error).message }, 'could not tell what is held here still');
    }
  }
}

/** A scheduler that is away comes back, and may then have forgotten what it was told. */
function isPassing(code: string, adopted: boolean): boolean {
  if (code === 'UNAVAILABLE' || code === 'HOST_UNKNOWN') return true;
  return adopted && (code === 'NOT_FOUND' || code === 'FAILED_PRECONDITION');
}
