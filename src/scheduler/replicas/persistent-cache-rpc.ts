/** The calls of scheduler.v2 about persistent cache tasks. */
import type { Handlers } from '../../rpc/server/server.ts';
import type { SchedulerLiveDefinition } from '../../../gen/scheduler/v2/live.ts';
import type {
  SchedulerDefinition,
  UploadPersistentCacheTaskStartedRequest,
} from '../../../gen/scheduler/v2/scheduler.ts';
import type { KeptFacts } from '../../swarm/replicas/kept-task.ts';
import type { Brain } from '../brain.ts';
import { maxKeptTasksPerFrame } from '../limits.ts';
import { msFromDuration } from '../messages.ts';
import { announceKeptPeer, cacheDialect } from './announce-kept-peer.ts';
import { KeptCalls, ownerOf } from './kept-calls.ts';
import { peerMessageOf, summaryOf, taskMessageOf } from './kept-messages.ts';
import type { ReplicaDesk } from './replica-desk.ts';

type Service = Handlers<typeof SchedulerDefinition>;

type PersistentCacheCalls =
  | 'uploadPersistentCacheTaskStarted'
  | 'uploadPersistentCacheTaskFinished'
  | 'uploadPersistentCacheTaskFailed'
  | 'statPersistentCacheTask'
  | 'deletePersistentCacheTask'
  | 'statPersistentCachePeer'
  | 'deletePersistentCachePeer'
  | 'announcePersistentCachePeer';

export function persistentCacheRpc(brain: Brain, desk: ReplicaDesk): Required<Pick<Service, PersistentCacheCalls>> {
  const calls = new KeptCalls(brain, desk, 'persistent cache');
  return {
    uploadPersistentCacheTaskStarted: async (request, context) => {
      calls.started(request.hostId, context, (nowMs) => factsOf(request, nowMs));
      return {};
    },
    // A daemon of the original takes the answer as an acknowledgement of the call, and waits only ten seconds for it.
    uploadPersistentCacheTaskFinished: async (request, context) => {
      const task = await calls.finished(request, context, { waits: context.callerHasSwarm });
      return taskMessageOf(task, context.callerHasSwarm);
    },
    uploadPersistentCacheTaskFailed: async (request, context) => {
      calls.failed(request, context);
      return {};
    },
    statPersistentCacheTask: async ({ taskId }, context) =>
      taskMessageOf(calls.stat(taskId, context), context.callerHasSwarm),
    deletePersistentCacheTask: async (request, context) => {
      await calls.delete(request, context);
      return {};
    },
    statPersistentCachePeer: async (request, context) => calls.statPeer(request, context, peerMessageOf),
    deletePersistentCachePeer: async (request, context) => {
      calls.deletePeer(request, context);
      return {};
    },
    announcePersistentCachePeer: (requests, context) => announceKeptPeer(calls, cacheDialect, { requests, context }),
  };
}

export function listKeptTasks(
  brain: Brain,
  desk: ReplicaDesk,
): Pick<Required<Handlers<typeof SchedulerLiveDefinition>>, 'listKeptTasks'> {
  return {
    listKeptTasks: async function* ({ taskId }) {
      const one = desk.keeper.get(taskId);
      const all = taskId === '' ? [...desk.keeper.list()] : one ? [one] : [];
      for (let start = 0; start < all.length; start += maxKeptTasksPerFrame)
        yield { tasks: all.slice(start, start + maxKeptTasksPerFrame).map((task) => summaryOf(task, brain)) };
    },
  };
}

/** The facts as reported by the host, with times of this scheduler's clock. */
function factsOf(request: UploadPersistentCacheTaskStartedRequest, nowMs: number): KeptFacts {
  const { taskId, hostId, persistentReplicaCount: replicas, tag, application, kept } = request;
  return {
    taskId,
    replicas,
    createdMs: nowMs,
    ttlMs: msFromDuration(request.ttl) ?? 0,
    contentLengthBytes: request.contentLength,
    pieceLengthBytes: request.pieceLength,
    ...(tag !== undefined && { tag }),
    ...(application !== undefined && { application }),
    ...(kept?.digest !== undefined && { digest: kept.digest }),
    owner: ownerOf(kept?.owner, hostId),
  };
}
