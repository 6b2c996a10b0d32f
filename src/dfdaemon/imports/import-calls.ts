/** How schedulers are told of an import: by the calls for one of the two kinds of kept tasks. */
import type { PersistentCacheTask, PersistentTask } from '../../../gen/common/v2/common.ts';
import type { SchedulerDefinition } from '../../../gen/scheduler/v2/scheduler.ts';
import type { RpcClient } from '../../rpc/client.ts';
import { toKeptContent } from '../../rpc/fields/kept-content.ts';
import type { KeptFacts, StoredObject } from '../../swarm/replicas/kept-task.ts';

type Scheduler = RpcClient<typeof SchedulerDefinition>;

interface CallOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

export interface ImportIds {
  readonly hostId: string;
  readonly taskId: string;
  readonly peerId: string;
}

/** @param Task the answer's type; both kinds have the fields of this one. */
export interface ImportCalls<Task extends PersistentTask> {
  started(scheduler: Scheduler, ids: ImportIds, facts: KeptFacts, options: CallOptions): Promise<unknown>;
  /** @param facts in their current state. */
  finished(scheduler: Scheduler, ids: ImportIds, facts: KeptFacts, options: CallOptions): Promise<Task>;
  failed(
    scheduler: Scheduler,
    request: ImportIds & { readonly description: string },
    options: CallOptions,
  ): Promise<unknown>;
  stat(scheduler: Scheduler, ids: Pick<ImportIds, 'hostId' | 'taskId'>, options: CallOptions): Promise<Task>;
  delete(scheduler: Scheduler, ids: Pick<ImportIds, 'hostId' | 'taskId'>, options: CallOptions): Promise<unknown>;
}

export const cacheCalls: ImportCalls<PersistentCacheTask> = {
  started: (scheduler, ids, facts, options) => {
    const { replicas, contentLengthBytes, pieceLengthBytes, tag, application } = facts;
    const kept = toKeptContent(facts, true);
    const request = {
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
    return scheduler.uploadPersistentCacheTaskStarted(request, options);
  },
  finished: (scheduler, ids, _facts, options) => scheduler.uploadPersistentCacheTaskFinished(ids, options),
  failed: (scheduler, request, options) => scheduler.uploadPersistentCacheTaskFailed(request, options),
  stat: (scheduler, ids, options) => scheduler.statPersistentCacheTask(ids, options),
  delete: (scheduler, ids, options) => scheduler.deletePersistentCacheTask(ids, options),
};

/** Region and endpoint are part of the name; credentials are never passed on. */
export function persistentCalls({ url, region, endpoint }: StoredObject): ImportCalls<PersistentTask> {
  return {
    started: (scheduler, ids, facts, options) => {
      const { replicas, contentLengthBytes, pieceLengthBytes } = facts;
      const kept = toKeptContent(facts, true);
      const request = {
        ...ids,
        url,
        objectStorage: { region, endpoint },
        persistentReplicaCount: replicas,
        contentLength: contentLengthBytes,
        pieceCount: Math.ceil(contentLengthBytes / pieceLengthBytes),
        ttl: kept.ttl,
        kept,
      };
      return scheduler.uploadPersistentTaskStarted(request, options);
    },
    finished: (scheduler, ids, facts, options) =>
      scheduler.uploadPersistentTaskFinished({ ...ids, kept: toKeptContent(facts, true) }, options),
    failed: (scheduler, request, options) => scheduler.uploadPersistentTaskFailed(request, options),
    stat: (scheduler, ids, options) => scheduler.statPersistentTask(ids, options),
    delete: (scheduler, ids, options) => scheduler.deletePersistentTask(ids, options),
  };
}
