/** Converts records of kept tasks to messages of the protocol. */
import { toKeptContent } from '../../rpc/fields/kept-content.ts';
import {
  Host as HostMessage,
  PersistentCachePeer,
  PersistentCacheTask,
  PersistentPeer,
  PersistentTask,
  type PersistentCacheTask as TaskMessage,
} from '../../../gen/common/v2/common.ts';
import type { KeptTaskSummary } from '../../../gen/scheduler/v2/live.ts';
import { persistentHosts, presentHosts, type KeptTask } from '../../swarm/replicas/kept-task.ts';
import type { Brain } from '../brain.ts';
import { durationFromMs } from '../messages.ts';

/** The peer id that daemons use for content they held before. */
export function heldPeerId(hostId: string, taskId: string): string {
  return `${hostId}-${taskId.slice(0, 32)}`;
}

/** @param extended true when the receiver knows the extensions. */
export function taskMessageOf(task: Readonly<KeptTask>, extended = true): TaskMessage {
  const { facts, state, updatedMs } = task;
  const { tag, application } = facts;
  return PersistentCacheTask.fromPartial({
    id: facts.taskId,
    persistentReplicaCount: facts.replicas,
    currentPersistentReplicaCount: persistentHosts(task).length,
    currentReplicaCount: presentHosts(task).length,
    ...(tag !== undefined && { tag }),
    ...(application !== undefined && { application }),
    pieceLength: facts.pieceLengthBytes,
    contentLength: facts.contentLengthBytes,
    pieceCount: Math.ceil(facts.contentLengthBytes / facts.pieceLengthBytes),
    state: state === 'uploading' ? 'Uploading' : 'Succeeded',
    ttl: durationFromMs(facts.ttlMs),
    createdAt: new Date(facts.createdMs),
    updatedAt: new Date(updatedMs),
    ...(extended && { kept: toKeptContent(facts, true) }),
  });
}

/** The same for a persistent task. */
export function persistentTaskMessageOf(task: Readonly<KeptTask>, extended = true): PersistentTask {
  return PersistentTask.fromPartial(taskMessageOf(task, extended));
}

/** The same for a persistent task. */
export function persistentPeerMessageOf(
  task: Readonly<KeptTask>,
  hostId: string,
  brain: Brain,
): PersistentPeer | undefined {
  const peer = peerMessageOf(task, hostId, brain);
  return peer && PersistentPeer.fromPartial({ ...peer, task: persistentTaskMessageOf(task, false) });
}

/** Undefined when the host is gone. */
export function peerMessageOf(task: Readonly<KeptTask>, hostId: string, brain: Brain): PersistentCachePeer | undefined {
  const host = brain.hosts.get(hostId)?.contact;
  const replica = task.replicas.get(hostId);
  if (!host || !replica) return undefined;
  const at = new Date(task.updatedMs);
  return PersistentCachePeer.fromPartial({
    id: heldPeerId(hostId, task.facts.taskId),
    persistent: replica.persistent,
    cost: durationFromMs(0),
    state: 'Succeeded',
    task: taskMessageOf(task, false),
    host,
    createdAt: at,
    updatedAt: at,
  });
}

export function summaryOf(task: Readonly<KeptTask>, brain: Brain): KeptTaskSummary {
  const held = [...task.replicas.values()].map(({ hostId, persistent, awaySinceMs }) => ({
    host: brain.hosts.get(hostId)?.contact ?? unknownHost(hostId),
    persistent,
    away: awaySinceMs !== undefined,
    making: task.making.has(hostId),
  }));
  const coming = [...task.making]
    .filter((hostId) => !task.replicas.has(hostId))
    .map((hostId) => ({
      host: brain.hosts.get(hostId)?.contact ?? unknownHost(hostId),
      persistent: false,
      away: false,
      making: true,
    }));
  return { task: taskMessageOf(task), replicas: [...held, ...coming] };
}

function unknownHost(id: string): HostMessage {
  return HostMessage.fromPartial({ id });
}
