/**
 * Imported content on this node: imports it, fetches replicas, keeps or releases them. The scheduler of a task decides
 * where its replicas are. A node records what it holds in its own store, and reports it to a scheduler that has
 * forgotten it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { formatDigest, parseDigest, sameDigest } from '../../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { isReserved } from '../../core/task-name.ts';
import { deadlineSignal, type Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { defaultPieceLength } from '../../core/piece-layout.ts';
import { fromKeptContent, keptUrl } from '../../rpc/fields/kept-content.ts';
import { thisProcess, type Caller } from '../../rpc/server/caller.ts';
import type { PersistentCacheTask, PersistentTask } from '../../../gen/common/v2/common.ts';
import { withNews, type KeptFacts } from '../../swarm/replicas/kept-task.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import type { DownloadRequest, OpenTask } from '../task/open-task.ts';
import type { Importer, ImportOrder, StagedImport } from './importer.ts';
import { cacheCalls, persistentCalls, type ImportCalls } from './import-calls.ts';
import { ImportRun, type ImportRunOptions } from './import-run.ts';
import { keptHolding, recordOf } from './kept-holding.ts';
import { importLimits } from './limits.ts';
import { storedDigest } from './stored-digest.ts';

export interface KeptTasksOptions {
  readonly store: TaskStore;
  readonly engine: TaskEngine;
  readonly schedulers: Schedulers;
  readonly importer: Importer;
  readonly hostId: string;
  readonly newPeerId: () => string;
  /** Ends the transfer of a task to its store. Never throws. */
  readonly abandon: (taskId: string) => Promise<void>;
  readonly logger: Logger;
}

export interface KeepOrder extends ImportOrder {
  readonly replicas: number;
  readonly ttlMs: number;
  readonly timeoutMs?: number | undefined;
}

/** The steps of an import that differ between the two kinds. */
export type ImportPlan<Task extends PersistentTask> = Pick<
  ImportRunOptions<Task>,
  'calls' | 'accepted' | 'upload' | 'write' | 'abandon' | 'onHeld'
> &
  Pick<KeptFacts, 'taskId' | 'object'>;

export interface FetchOrder {
  readonly taskId: string;
  readonly caller: Caller;
  /** True when the copy is to stay here. */
  readonly persistent: boolean;
  /** The facts that a scheduler sent with its request; when absent, the scheduler is asked. */
  readonly facts?: KeptFacts | undefined;
  /** True when it was already checked that the object's store gives the content to this caller. */
  readonly isGiven?: boolean;
  /** Address of the scheduler that requests it. */
  readonly scheduler?: string | undefined;
}

export class KeptTasks implements Closable {
  readonly #options: KeptTasksOptions;
  /** Being imported. */
  readonly #importing = new Set<string>();
  readonly #healing = new Set<string>();
  readonly #work = new Set<Promise<unknown>>();
  readonly #controller = new AbortController();

  constructor(options: KeptTasksOptions) {
    this.#options = options;
  }

  /**
   * Resolves when as many nodes hold it as were requested; on any error nothing of it is left. Content that is already
   * there is no error; other content under the same id is ALREADY_EXISTS. Throws the errors of Importer.stage,
   * RESOURCE_EXHAUSTED when there are too few nodes, UNAVAILABLE without a scheduler. @param onHeld called when others can get it from here
   */
  import(order: KeepOrder, signal: AbortSignal, onHeld?: (taskId: string) => void): Promise<PersistentCacheTask> {
    return this.importAs(order, async ({ taskId }) => ({ calls: cacheCalls, taskId, onHeld }), signal);
  }

  /** The same for either kind. @param planOf gets the content that is to be imported. */
  async importAs<Task extends PersistentTask>(
    order: KeepOrder,
    planOf: (staged: StagedImport, signal: AbortSignal) => Promise<ImportPlan<Task>>,
    signal: AbortSignal,
  ): Promise<Task> {
    const { store, schedulers } = this.#options;
    requireOwnText(order.contentForCalculatingTaskId);
    if (!schedulers.exists)
      throw new DragonflyError('UNAVAILABLE', 'there is no scheduler: nobody could make replicas', {
        hint: 'Start a scheduler, or check the manager addresses of this daemon.',
      });
    if (!store.keepsStorage)
      throw new DragonflyError('FAILED_PRECONDITION', 'this node keeps nothing when it stops', {
        hint: 'Set keepStorage in its configuration.',
      });
    using deadline = deadlineSignal(signal, order.timeoutMs ?? importLimits.timeoutMs);
    const { importer } = this.#options;
    await using staged = await importer.stage(order, deadline.signal);
    const { taskId, object, ...plan } = await planOf(staged, deadline.signal);
    if (this.#importing.has(taskId))
      throw new DragonflyError('ALREADY_EXISTS', `task ${taskId} is being imported already`);
    this.#importing.add(taskId);
    try {
      const { engine, hostId, newPeerId, logger } = this.#options;
      const parts = { ...plan, store, engine, schedulers, hostId, peerId: newPeerId(), logger };
      const facts = { ...this.#factsOf(order, staged), taskId, ...(object && { object }) };
      return await new ImportRun(parts, facts, staged).keep(deadline.signal);
    } finally {
      this.#importing.delete(taskId);
    }
  }

  /** Opens it for a reader, from this node or from others. Throws NOT_FOUND, and the engine's errors. */
  async open(order: FetchOrder, signal: AbortSignal): Promise<{ task: OpenTask; facts: KeptFacts }> {
    const { taskId, caller, scheduler } = order;
    const facts = order.facts ?? (await this.#told(taskId, signal));
    const isGiven = facts.object === undefined || order.isGiven === true;
    if (!isGiven) throw onlyByItsStore(taskId);
    const { store, engine } = this.#options;
    const known = store.get(taskId);
    // The store holds an older import under the same id.
    const isOther =
      known !== undefined &&
      (known.record.kept === undefined ||
        (known.contentLengthBytes ?? facts.contentLengthBytes) !== facts.contentLengthBytes ||
        (facts.digest !== undefined && (known.identity.digest ?? facts.digest) !== facts.digest));
    if (isOther) {
      engine.stop(taskId, new DragonflyError('CANCELLED', 'the task is something else now'));
      store.remove(taskId, { quietly: true });
    }
    const request: DownloadRequest = {
      caller,
      url: keptUrl(facts),
      taskId,
      header: {},
      digest: facts.digest,
      ...(facts.tag !== undefined && { tag: facts.tag }),
      ...(facts.application !== undefined && { application: facts.application }),
      pieceLengthBytes: facts.pieceLengthBytes,
      disableBackToSource: true,
      isGiven,
      restricted: facts.object !== undefined,
      wholePieces: true,
      ...(scheduler !== undefined && { scheduler, finishAbandoned: true }),
    };
    const task = await engine.open(request, signal);
    const stored = store.get(taskId);
    if (stored && stored.record.kept === undefined) stored.keep(recordOf(facts), false);
    return { task, facts };
  }

  /** All of it is here: records that in the store, and tells the scheduler if it does not know. */
  async held(taskId: string, facts: KeptFacts, { persistent }: { readonly persistent: boolean }): Promise<void> {
    const stored = this.#options.store.get(taskId);
    if (!stored || stored.state !== 'finished')
      throw new DragonflyError('STORAGE', `task ${taskId} is not here any more`);
    const before = stored.record.row.persistent === 1;
    this.#learn(stored, facts, persistent || before);
    // One that was here before is not of the import that asks for it, and does not go with it.
    if (!persistent || before) await this.#tell(stored);
  }

  /** Tells a scheduler that knows less than this node. */
  #learn(stored: StoredTask, facts: KeptFacts, persistent: boolean): void {
    const { kept } = stored.record;
    stored.keep(recordOf(kept?.object ? withNews(facts, { ...facts, object: kept.object }) : facts), persistent);
  }

  /** Makes sure that the task's scheduler knows what this node knows of it. Never throws. */
  async tell(taskId: string): Promise<void> {
    const stored = this.#options.store.get(taskId);
    if (stored) await this.#tell(stored);
  }

  /**
   * Compares the stored content with the digest that a reader expects. A mismatch may be the reader's mistake, so it
   * does not cast doubt on the replica. Throws DIGEST_MISMATCH.
   */
  async requireDigest(taskId: string, expected: string, signal: AbortSignal): Promise<void> {
    const stored = this.require(taskId);
    const digest = parseDigest(expected);
    const known = stored.identity.digest === undefined ? undefined : parseDigest(stored.identity.digest);
    const found = known?.algorithm === digest.algorithm ? known : await storedDigest(stored, digest.algorithm, signal);
    if (sameDigest(found, digest)) return;
    throw new DragonflyError('DIGEST_MISMATCH', `task ${taskId} has ${formatDigest(found)}, expected ${expected}`);
  }

  /** The scheduler wants the replica to stay, or no longer needs it. Throws NOT_FOUND. @param facts as it knows them. */
  update(taskId: string, persistent: boolean, facts?: KeptFacts): void {
    const stored = this.require(taskId);
    if (persistent && stored.state !== 'finished')
      throw new DragonflyError('FAILED_PRECONDITION', `task ${taskId} is here in part only`);
    const { kept } = stored.record;
    if (facts) this.#learn(stored, facts, persistent);
    else if (kept) stored.keep(kept, persistent);
  }

  /** Deletes it on this node. Throws NOT_FOUND. */
  async remove(taskId: string): Promise<void> {
    const { engine, store, abandon } = this.#options;
    if (this.require(taskId).record.kept?.upload) await abandon(taskId);
    engine.stop(taskId, new DragonflyError('CANCELLED', 'the task was deleted'));
    store.remove(taskId);
  }

  /** Deletes it on all nodes, on behalf of whoever imported it. Throws NOT_FOUND, PERMISSION_DENIED. */
  async removeEverywhere(
    taskId: string,
    caller: Caller,
    { signal, calls = cacheCalls }: { readonly signal: AbortSignal; readonly calls?: ImportCalls<PersistentTask> },
  ): Promise<void> {
    const { schedulers, hostId } = this.#options;
    const { owner } = factsOf(taskId, await this.stat(taskId, signal, calls));
    const uid = caller.kind === 'local' ? caller.uid : undefined;
    if (!isMaster(caller) && owner !== `${uid}@${hostId}`)
      throw new DragonflyError('PERMISSION_DENIED', `task ${taskId} was imported by somebody else`, {
        hint: 'Only who imported it, on the node where that was, the administrator of that node, and the manager can delete it.',
      });
    await schedulers.ask(taskId, (client) => calls.delete(client, { hostId, taskId }, { signal }), signal);
  }

  /** The task as its scheduler knows it. Throws NOT_FOUND. */
  stat<Task extends PersistentTask>(taskId: string, signal: AbortSignal, calls: ImportCalls<Task>): Promise<Task> {
    const { schedulers, hostId } = this.#options;
    return schedulers.ask(taskId, (client) => calls.stat(client, { hostId, taskId }, { signal }), signal);
  }

  /** The tasks of one of the two kinds on this node. */
  list(kind: 'persistent' | 'persistent cache'): StoredTask[] {
    const isOfKind = ({ record: { kept } }: StoredTask): boolean =>
      kept !== undefined && (kept.object !== undefined) === (kind === 'persistent');
    return this.#options.store.list().filter(isOfKind);
  }

  require(taskId: string): StoredTask {
    const task = this.#options.store.get(taskId);
    if (!task?.record.kept) throw new DragonflyError('NOT_FOUND', `imported content ${taskId} is not on this node`);
    return task;
  }

  /** Pieces of a replica were found corrupt; they are fetched from the other replicas as soon as one can be reached. Never throws. */
  heal({ id: taskId }: StoredTask): void {
    if (this.#healing.has(taskId)) return;
    this.#healing.add(taskId);
    const { logger } = this.#options;
    const work = this.#untilWhole(taskId)
      .then((whole) => whole && logger.info({ taskId }, 'a replica with corrupt pieces is whole again'))
      .catch((error: unknown) => logger.debug({ taskId, error: toDragonflyError(error).message }, 'healing has ended'))
      .finally(() => {
        this.#healing.delete(taskId);
        this.#work.delete(work);
      });
    this.#work.add(work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort(new DragonflyError('UNAVAILABLE', 'the daemon is stopping'));
    await Promise.all(this.#work);
  }

  /** False when it no longer has to stay. */
  async #untilWhole(taskId: string): Promise<boolean> {
    const { store, logger } = this.#options;
    const { signal } = this.#controller;
    for (let retryMs: number = importLimits.retryMs; ; retryMs = Math.min(2 * retryMs, importLimits.mostRetryMs)) {
      await store.get(taskId)?.recovered;
      const stored = store.get(taskId);
      if (stored?.persistent !== true) return false;
      try {
        const opened = await this.open({ taskId, caller: thisProcess, persistent: true, isGiven: true }, signal);
        await using task = opened.task;
        await task.finished;
        await this.#tell(stored);
        return true;
      } catch (error) {
        signal.throwIfAborted();
        logger.warn(
          { taskId, error: toDragonflyError(error).message },
          'a replica with corrupt pieces cannot be made whole yet',
        );
      }
      await delay(retryMs, undefined, { signal });
    }
  }

  #factsOf({ tag, application, replicas, ttlMs, caller }: KeepOrder, staged: StagedImport): KeptFacts {
    const { taskId, digest, layout } = staged;
    const user = caller.kind === 'local' ? (caller.uid ?? '') : '';
    return {
      taskId,
      replicas,
      createdMs: Date.now(),
      ttlMs,
      contentLengthBytes: layout.contentLengthBytes,
      pieceLengthBytes: layout.pieceLengthBytes,
      tag,
      application,
      digest,
      owner: `${user}@${this.#options.hostId}`,
    };
  }

  async #told(taskId: string, signal: AbortSignal): Promise<KeptFacts> {
    const object = this.#options.store.get(taskId)?.record.kept?.object;
    return factsOf(
      taskId,
      await this.stat<PersistentTask>(taskId, signal, object ? persistentCalls(object) : cacheCalls),
    );
  }

  async #tell(stored: StoredTask): Promise<void> {
    const { schedulers, hostId, logger } = this.#options;
    const holding = keptHolding(stored, hostId);
    if (!holding) return;
    try {
      await schedulers.ask(stored.id, (client) => client.announceTasks({ hostId, holdings: [holding] }));
    } catch (error) {
      logger.debug(
        { taskId: stored.id, error: toDragonflyError(error).message },
        'could not tell what this node holds',
      );
    }
  }
}

/** Throws NOT_FOUND for what is not there yet. */
export function factsOf(taskId: string, task: PersistentTask & Partial<PersistentCacheTask>): KeptFacts {
  if (task.state === 'Uploading')
    throw new DragonflyError('NOT_FOUND', `task ${taskId} is being imported and not there yet`, {
      hint: 'Try again when the import has ended.',
    });
  if (task.kept) return fromKeptContent(taskId, task.kept);
  const { persistentReplicaCount, createdAt, ttl, contentLength, tag, application } = task;
  return {
    taskId,
    replicas: persistentReplicaCount,
    createdMs: createdAt?.getTime() ?? Date.now(),
    ttlMs: (ttl?.seconds ?? 0) * 1000,
    contentLengthBytes: contentLength,
    pieceLengthBytes: task.pieceLength ?? defaultPieceLength(contentLength),
    tag,
    application,
    owner: '',
  };
}

/** Who may do with this node what he likes. */
export function isMaster(caller: Caller): boolean {
  const uid = caller.kind === 'local' ? caller.uid : undefined;
  return uid === 0 || (uid !== undefined && uid === process.geteuid?.());
}

/** A text that reads like what other ids are computed from would be the id of something else. */
function requireOwnText(text: string | undefined): void {
  if (text === undefined || !(text === '' || isReserved(text))) return;
  throw new DragonflyError('INVALID_ARGUMENT', `"${text}" cannot be the text that an id is computed from`, {
    hint: 'Choose another text for --content-for-calculating-task-id.',
  });
}

function onlyByItsStore(taskId: string): DragonflyError {
  return new DragonflyError(
    'PERMISSION_DENIED',
    `task ${taskId} belongs to an object of a store, which has to be asked`,
    {
      hint: 'Read it by its name, with credentials of the store: "dfstore export".',
    },
  );
}
