/**
 * Persistent tasks: imported content that belongs to an object of a store. KeptTasks has what both kinds of imported
 * content share; this file handles the store: when it is written, and that only callers who could read the object there
 * may read it here.
 */
import { partsTag } from '../../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { persistentTaskId } from '../../core/ids.ts';
import { redact } from '../../core/redact.ts';
import type { PersistentTask } from '../../../gen/common/v2/common.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import type { KeptFacts, StoredObject } from '../../swarm/replicas/kept-task.ts';
import { isTagOf, uploadPartLength, uploadParts, type FoundObject } from '../../swarm/replicas/object-upload.ts';
import type { ObjectNews } from '../cluster/object-news.ts';
import type { Upstream } from '../proxy/wire/upstream.ts';
import type { Sources } from '../source/sources.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { persistentCalls } from './import-calls.ts';
import type { StagedImport } from './importer.ts';
import { importLimits } from './limits.ts';
import { factsOf, isMaster, type ImportPlan, type KeepOrder, type KeptTasks } from './kept-tasks.ts';
import { ObjectRequests, type ObjectPlace } from './object-requests.ts';
import type { PendingUploads } from './pending-uploads.ts';
import type { SealedStorage } from './sealed-storage.ts';

export interface PersistentTasksOptions {
  readonly kept: KeptTasks;
  readonly store: TaskStore;
  readonly sources: Sources;
  readonly upstream: Upstream;
  readonly sealed: SealedStorage;
  readonly uploads: PendingUploads;
  /** Doors rely on what the store said of an object. */
  readonly news: Pick<ObjectNews, 'changedHere'>;
}

/** When an import is acknowledged: once the store has it; once the replicas exist, with the store written afterwards; or without any store. */
export type WriteMode = 'through' | 'back' | 'replicas';

export type PersistOrder = Omit<KeepOrder, 'tag' | 'application' | 'pieceLengthBytes' | 'parts'> &
  ObjectPlace & { readonly write: WriteMode };

export type ReadOrder = ObjectPlace & { readonly caller: Caller };

/** Where a reader gets it: from the nodes that hold it, or like any object of a store. */
export type Found =
  { readonly from: 'store' } | { readonly from: 'nodes'; readonly facts: KeptFacts; readonly alsoStored: boolean };

export class PersistentTasks {
  readonly #options: PersistentTasksOptions;

  constructor(options: PersistentTasksOptions) {
    this.#options = options;
  }

  /** Throws the errors of KeptTasks.import, ALREADY_EXISTS for other content under the name, or the store's refusal. */
  async import(order: PersistOrder, signal: AbortSignal): Promise<PersistentTask> {
    const { kept, store, uploads } = this.#options;
    const parts = order.write === 'replicas' ? undefined : partLengths;
    const planOf = (staged: StagedImport, ending: AbortSignal): Promise<ImportPlan<PersistentTask>> =>
      this.#planOf(order, staged, ending);
    const task = await kept.importAs({ ...order, parts }, planOf, signal);
    const stored = store.get(task.id);
    if (order.write === 'back' && stored?.record.kept?.upload)
      uploads.inBackground(stored, (taskId) => void kept.tell(taskId));
    return task;
  }

  /** Resumes uploads that an earlier process has not finished. */
  resumeUploads(): void {
    const { kept, uploads } = this.#options;
    const isKnown = (taskId: string): Promise<boolean> =>
      this.stat(taskId, AbortSignal.timeout(importLimits.takeBackMs)).then(
        () => true,
        () => false,
      );
    uploads.resume((taskId) => void kept.tell(taskId), isKnown);
  }

  /** Finds what a reader may have. Throws NOT_FOUND, PERMISSION_DENIED, SOURCE_UNREACHABLE while nobody can say whether he may have it. */
  async find(order: ReadOrder, signal: AbortSignal): Promise<Found> {
    const { taskId, object } = named(order);
    const told = await this.#told(taskId, object, signal);
    const state = told?.facts.object?.state;
    const byNodes = (alsoStored: boolean): Found | undefined =>
      told && told.holders > 0 ? { from: 'nodes', facts: told.facts, alsoStored } : undefined;
    if (state === 'replicas') return byNodes(false) ?? missing(order.url);
    let there: FoundObject | undefined;
    try {
      there = await this.#atStore(order, signal);
    } catch (error) {
      // A caller who could read this node's disk needs no permission from the store.
      const held = isMaster(order.caller) && isAway(error) ? byNodes(false) : undefined;
      if (held) return held;
      throw refusal(error, order.url);
    }
    if (!there) return (state === 'pending' ? byNodes(false) : undefined) ?? missing(order.url);
    const isSame = told !== undefined && isVersion(told.facts, there);
    return (isSame ? byNodes(true) : undefined) ?? { from: 'store' };
  }

  /** The name must be usable for reading as well: it is that of a replica that a scheduler wants. */
  nameOf(place: ObjectPlace): { readonly taskId: string; readonly object: StoredObject } {
    return named(place);
  }

  /** What a scheduler knows of a replica that it wants. Throws NOT_FOUND. */
  async known(taskId: string, object: StoredObject, signal: AbortSignal): Promise<KeptFacts> {
    const told = await this.#told(taskId, object, signal);
    if (!told) throw new DragonflyError('NOT_FOUND', `no scheduler knows persistent task ${taskId}`);
    return told.facts;
  }

  stat(taskId: string, signal: AbortSignal): Promise<PersistentTask> {
    return this.#options.kept.stat(taskId, signal, persistentCalls(nameless));
  }

  /** Deletes it from all nodes, and from the store with the caller's credentials. Throws NOT_FOUND, PERMISSION_DENIED. */
  async remove(
    { keepObject, caller, ...place }: ReadOrder & { readonly keepObject: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { kept, upstream, news } = this.#options;
    const { taskId, object } = named(place);
    const told = await this.#told(taskId, object, signal);
    const toStore = !keepObject && told?.facts.object?.state !== 'replicas';
    const requests = toStore ? new ObjectRequests(place, upstream) : undefined;
    if (!told && (!requests || !(await requests.look(signal)))) return missing(place.url);
    // The nodes come first, because one of them may be uploading it.
    if (told) await kept.removeEverywhere(taskId, caller, { signal, calls: persistentCalls(object) });
    if (!requests) return;
    try {
      await requests.remove(signal);
    } finally {
      // Also where nobody knows whether it has succeeded. Nobody is given it any more when this returns.
      await news.changedHere(requests.newsKeys);
    }
  }

  async #planOf(order: PersistOrder, staged: StagedImport, signal: AbortSignal): Promise<ImportPlan<PersistentTask>> {
    const { uploads, upstream, sealed } = this.#options;
    const { taskId, object } = named(order);
    const { write, url, storage } = order;
    const calls = persistentCalls(object);
    if (write === 'replicas') return { calls, taskId, object: { ...object, state: 'replicas' } };
    const requests = new ObjectRequests({ url, storage }, upstream);
    const abandon = (id: string): Promise<void> => uploads.abandon(id);
    const partLengthBytes = uploadPartLength(staged.layout.contentLengthBytes);
    const upload = { sealedStorage: await sealed.seal(storage), partLengthBytes };
    const plan = { calls, taskId, object, upload, abandon };
    if (write === 'through') {
      return { ...plan, accepted: ['stored'], write: (task, ending) => uploads.now(task, staged.md5s, ending) };
    }
    const known = await this.#before(requests, staged, signal);
    const accepted = ['stored', 'pending'];
    return known ? { calls, taskId, object: { ...object, ...known }, accepted } : { ...plan, accepted };
  }

  /** Asks the store, if it can be reached, before anything is acknowledged. Throws ALREADY_EXISTS, or the store's refusal. */
  async #before(
    requests: ObjectRequests,
    { md5s, layout }: StagedImport,
    signal: AbortSignal,
  ): Promise<{ readonly state: 'stored'; readonly etag: string } | undefined> {
    let there: FoundObject | undefined;
    try {
      there = await requests.look(signal);
    } catch (error) {
      if (isAway(error)) return undefined;
      throw error;
    }
    if (!there) return undefined;
    const [single] = md5s;
    const tag = md5s.length === 1 && single ? Buffer.from(single).toString('hex') : partsTag(md5s);
    if (isTagOf(tag, there.etag) && there.lengthBytes === layout.contentLengthBytes)
      return { state: 'stored', etag: there.etag };
    throw new DragonflyError('ALREADY_EXISTS', 'the store has other content under this name', {
      hint: 'Choose another name, or delete what is there with "dfstore rm".',
    });
  }

  /** Undefined when no scheduler knows of it, or when none can be asked. */
  async #told(
    taskId: string,
    object: StoredObject,
    signal: AbortSignal,
  ): Promise<{ readonly facts: KeptFacts; readonly holders: number } | undefined> {
    try {
      const task = await this.#options.kept.stat(taskId, signal, persistentCalls(object));
      const facts = factsOf(taskId, task);
      // A scheduler of the original says nothing about the store, and knows only tasks that are there.
      const known = facts.object ?? { ...object, state: 'stored' as const };
      return { facts: { ...facts, object: known }, holders: task.currentReplicaCount };
    } catch (error) {
      signal.throwIfAborted();
      // A scheduler of the original without its Redis knows nothing either.
      const nothing = ['NOT_FOUND', 'UNAVAILABLE', 'HOST_UNKNOWN', 'UNSUPPORTED', 'FAILED_PRECONDITION'];
      if (nothing.includes(toDragonflyError(error).code)) return undefined;
      throw error;
    }
  }

  async #atStore({ url, storage, caller }: ReadOrder, signal: AbortSignal): Promise<FoundObject | undefined> {
    try {
      const { contentLengthBytes = -1, header } = await this.#options.sources.stat({
        caller,
        url,
        header: {},
        objectStorage: storage,
        signal,
      });
      return { lengthBytes: contentLengthBytes, etag: (header['etag'] ?? '').replaceAll('"', '') };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }
}

function partLengths(lengthBytes: number): number[] {
  return uploadParts({ lengthBytes, partLengthBytes: uploadPartLength(lengthBytes) }).map((part) => part.lengthBytes);
}

/** Throws INVALID_ARGUMENT without region and endpoint, which are part of the name. */
function named({ url, storage }: ObjectPlace): { readonly taskId: string; readonly object: StoredObject } {
  const { region, endpoint } = storage;
  for (const [what, value] of Object.entries({ region, endpoint }))
    if (typeof value !== 'string' || value === '')
      throw new DragonflyError('INVALID_ARGUMENT', `the ${what} of the object storage is missing`, {
        hint: `It is a part of the name of a persistent task: give it, for example with --storage-${what}.`,
      });
  const object = { url, region: String(region), endpoint: String(endpoint), state: 'pending' } as const;
  return { taskId: persistentTaskId(object), object };
}

/** For calls that name the task by its id. */
const nameless: StoredObject = { url: '', region: '', endpoint: '', state: 'stored' };

function isVersion({ contentLengthBytes, object }: KeptFacts, there: FoundObject): boolean {
  return contentLengthBytes === there.lengthBytes && (object?.etag === undefined || object.etag === there.etag);
}

function statusOf(error: unknown): number {
  return toDragonflyError(error).details?.statusCode ?? 0;
}

/** As opposed to a refusal. */
function isAway(error: unknown): boolean {
  return toDragonflyError(error).code === 'SOURCE_UNREACHABLE' || statusOf(error) >= 500;
}

function refusal(error: unknown, url: string): unknown {
  const status = statusOf(error);
  if (status !== 401 && status !== 403) return error;
  return new DragonflyError('PERMISSION_DENIED', `the store does not give ${redact(url)} to these credentials`, {
    cause: error,
  });
}

function missing(url: string): never {
  throw new DragonflyError('NOT_FOUND', `there is no ${redact(url)}: neither a node nor its store has it`);
}
