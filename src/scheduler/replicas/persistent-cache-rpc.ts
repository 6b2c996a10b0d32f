/** The calls of scheduler.v2 about persistent cache tasks, and who may make them. */
import { DragonflyError } from '../../core/errors.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { SchedulerLiveDefinition } from '../../../gen/scheduler/v2/live.ts';
import type {
  SchedulerDefinition,
  UploadPersistentCacheTaskStartedRequest,
} from '../../../gen/scheduler/v2/scheduler.ts';
import type { KeptFacts, KeptTask } from '../../swarm/replicas/kept-task.ts';
import type { Brain } from '../brain.ts';
import { requireNode, requireOwnHost } from '../hosts/own-host.ts';
import { maxKeptTasksPerFrame } from '../limits.ts';
import { msFromDuration } from '../messages.ts';
import { announceKeptPeer } from './announce-kept-peer.ts';
import { heldPeerId, peerMessageOf, summaryOf, taskMessageOf } from './kept-messages.ts';
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
  const require = (taskId: string): Readonly<KeptTask> => {
    const task = desk.keeper.get(taskId);
    if (!task) throw new DragonflyError('NOT_FOUND', `this scheduler knows no persistent cache task ${taskId}`);
    return task;
  };

  return {
    uploadPersistentCacheTaskStarted: async (request, context) => {
      const { hostId } = request;
      requireOwnHost(hostId, context, brain);
      requireKnown(brain, hostId);
      desk.run((keeper, nowMs) => keeper.uploadStarted(factsOf(request, nowMs), hostId, nowMs));
      return {};
    },

    uploadPersistentCacheTaskFinished: async ({ hostId, taskId }, context) => {
      requireOwnHost(hostId, context, brain);
      // A daemon of the original takes the answer for a receipt of the call, and gives it ten seconds.
      if (context.callerHasSwarm) await desk.finished(taskId, hostId, context);
      else {
        desk.run((keeper, nowMs) => keeper.uploadFinished(taskId, hostId, { waits: false, nowMs }));
        desk.showHolders(taskId);
      }
      return taskMessageOf(require(taskId), context.callerHasSwarm);
    },

    uploadPersistentCacheTaskFailed: async ({ hostId, taskId }, context) => {
      requireOwnHost(hostId, context, brain);
      desk.run((keeper, nowMs) => keeper.uploadFailed(taskId, hostId, nowMs));
      return {};
    },

    statPersistentCacheTask: async ({ taskId }, context) => {
      requireNode(context, brain);
      const task = require(taskId);
      desk.showHolders(taskId); // whoever asks is about to download it
      return taskMessageOf(task, context.callerHasSwarm);
    },

    deletePersistentCacheTask: async ({ hostId, taskId }, context) => {
      requireMayDelete(require(taskId), hostId, context, brain);
      await desk.deleted(taskId);
      return {};
    },

    statPersistentCachePeer: async ({ taskId, peerId }, context) => {
      requireNode(context, brain);
      const task = require(taskId);
      const host = [...task.replicas.keys()].find((hostId) => heldPeerId(hostId, taskId) === peerId);
      const message = host === undefined ? undefined : peerMessageOf(task, host, brain);
      if (!message) throw new DragonflyError('NOT_FOUND', `this scheduler knows no peer ${peerId} of task ${taskId}`);
      return message;
    },

    deletePersistentCachePeer: async ({ hostId, taskId }, context) => {
      requireOwnHost(hostId, context, brain);
      desk.run((keeper, nowMs) => keeper.released(taskId, hostId, nowMs));
      brain.taskLeft(hostId, taskId);
      return {};
    },

    announcePersistentCachePeer: (requests, context) => announceKeptPeer({ brain, desk }, requests, context),
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

/** The facts as the host states them, with the time of this scheduler's clock. */
function factsOf(request: UploadPersistentCacheTaskStartedRequest, nowMs: number): KeptFacts {
  const { taskId, hostId, persistentReplicaCount: replicas, tag, application, kept } = request;
  const user = kept?.owner.split('@')[0] ?? '';
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
    owner: `${user}@${hostId}`,
  };
}

function requireKnown(brain: Brain, hostId: string): void {
  if (brain.hosts.get(hostId)) return;
  throw new DragonflyError('HOST_UNKNOWN', `host ${hostId} is not announced`, {
    hint: 'Announce the host before it imports.',
  });
}

/** The host it was imported by, for its user; and whoever looks after the cluster. Throws PERMISSION_DENIED. */
function requireMayDelete(task: Readonly<KeptTask>, hostId: string, context: CallContext, brain: Brain): void {
  const { caller } = context;
  if (caller.kind === 'member' && (caller.role === 'manager' || caller.role === 'scheduler')) return;
  if (brain.hosts.get(hostId)) {
    requireOwnHost(hostId, context, brain);
    const { owner } = task.facts;
    if (owner === '' || owner.slice(owner.indexOf('@') + 1) === hostId) return;
  }
  throw new DragonflyError('PERMISSION_DENIED', `task ${task.facts.taskId} was imported by another host`, {
    hint: 'Delete it where it was imported, or at the manager.',
  });
}
