/** The calls of scheduler.v2 about persistent tasks, which are kept tasks that belong to an object of a store. */
import { DragonflyError } from '../../core/errors.ts';
import { persistentTaskId } from '../../core/ids.ts';
import { defaultPieceLength } from '../../core/piece-layout.ts';
import { redact } from '../../core/redact.ts';
import { fromKeptContent } from '../../rpc/fields/kept-content.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { SchedulerDefinition, UploadPersistentTaskStartedRequest } from '../../../gen/scheduler/v2/scheduler.ts';
import type { KeptFacts, StoredObject } from '../../swarm/replicas/kept-task.ts';
import type { Brain } from '../brain.ts';
import { msFromDuration } from '../messages.ts';
import { announceKeptPeer, persistentDialect } from './announce-kept-peer.ts';
import { KeptCalls, ownerOf } from './kept-calls.ts';
import { persistentPeerMessageOf, persistentTaskMessageOf } from './kept-messages.ts';
import type { ReplicaDesk } from './replica-desk.ts';

type Service = Handlers<typeof SchedulerDefinition>;

type PersistentCalls =
  | 'uploadPersistentTaskStarted'
  | 'uploadPersistentTaskFinished'
  | 'uploadPersistentTaskFailed'
  | 'statPersistentTask'
  | 'deletePersistentTask'
  | 'statPersistentPeer'
  | 'deletePersistentPeer'
  | 'announcePersistentPeer';

export function persistentRpc(brain: Brain, desk: ReplicaDesk): Required<Pick<Service, PersistentCalls>> {
  const calls = new KeptCalls(brain, desk, 'persistent');
  return {
    uploadPersistentTaskStarted: async (request, context) => {
      calls.started(request.hostId, context, (nowMs) => factsOf(request, nowMs));
      return {};
    },
    // Content in the store is safe, so its replicas are made in the background.
    uploadPersistentTaskFinished: async (request, context) => {
      const { taskId, kept } = request;
      const facts = kept && fromKeptContent(taskId, kept);
      const waits = context.callerHasSwarm && (facts ?? calls.require(taskId).facts).object?.state !== 'stored';
      const task = await calls.finished(request, context, { waits, facts });
      return persistentTaskMessageOf(task, context.callerHasSwarm);
    },
    uploadPersistentTaskFailed: async (request, context) => {
      calls.failed(request, context);
      return {};
    },
    statPersistentTask: async ({ taskId }, context) =>
      persistentTaskMessageOf(calls.stat(taskId, context), context.callerHasSwarm),
    deletePersistentTask: async (request, context) => {
      await calls.delete(request, context);
      return {};
    },
    statPersistentPeer: async (request, context) => calls.statPeer(request, context, persistentPeerMessageOf),
    deletePersistentPeer: async (request, context) => {
      calls.deletePeer(request, context);
      return {};
    },
    announcePersistentPeer: (requests, context) => announceKeptPeer(calls, persistentDialect, { requests, context }),
  };
}

/** Throws INVALID_ARGUMENT when the id belongs to something else. */
function factsOf(request: UploadPersistentTaskStartedRequest, nowMs: number): KeptFacts {
  const { taskId, hostId, persistentReplicaCount: replicas, contentLength, kept } = request;
  return {
    taskId,
    replicas,
    createdMs: nowMs,
    ttlMs: msFromDuration(request.ttl) ?? 0,
    contentLengthBytes: contentLength,
    pieceLengthBytes: kept?.pieceLength ?? defaultPieceLength(contentLength),
    ...(kept?.digest !== undefined && { digest: kept.digest }),
    owner: ownerOf(kept?.owner, hostId),
    object: objectOf(request),
  };
}

/** Content that a daemon of the original has imported is already in its store when it reports that. */
function objectOf({ taskId, url, objectStorage, kept }: UploadPersistentTaskStartedRequest): StoredObject {
  const { region, endpoint } = objectStorage ?? {};
  if (region === undefined || endpoint === undefined)
    throw new DragonflyError('INVALID_ARGUMENT', `task ${taskId} is told without region and endpoint of its store`);
  if (persistentTaskId({ url, region, endpoint }) !== taskId)
    throw new DragonflyError('INVALID_ARGUMENT', `task ${taskId} is not that of ${redact(url)}`);
  const told = kept && fromKeptContent(taskId, kept).object;
  return told ?? { url, region, endpoint, state: 'stored' };
}
