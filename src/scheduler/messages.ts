/** Converts records of the swarm to messages of the protocol. */
import { redact } from '../core/redact.ts';
import type { Duration } from '../../gen/google/protobuf/duration.ts';
import {
  Download,
  Peer as PeerMessage,
  SizeScope,
  Task as TaskMessage,
  type Host as HostMessage,
  type Peer as PeerType,
  type Priority,
  type Task as TaskType,
} from '../../gen/common/v2/common.ts';
import {
  ParentKind,
  type AnnouncePeerResponse,
  type NormalTaskResponse,
  type TaskMetadata,
} from '../../gen/scheduler/v2/scheduler.ts';
import type { OfferedParent } from '../swarm/shared/decisions.ts';
import type { TaskLayout } from '../swarm/shared/events.ts';
import type { Peer, Task } from '../swarm/scheduler/records.ts';
import type { TaskFacts } from './task-facts.ts';

type Response = NonNullable<AnnouncePeerResponse['response']>;

export function response(message: Response): AnnouncePeerResponse {
  return { response: message };
}

/** Converts monotonic milliseconds of this process to wall-clock time. */
export function wallTime(steadyMs: number): Date {
  return new Date(performance.timeOrigin + steadyMs);
}

export function durationFromMs(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.floor((ms - seconds * 1000) * 1e6) };
}

export function msFromDuration(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : duration.seconds * 1000 + duration.nanos / 1e6;
}

export function taskMessage(task: Readonly<Task>, facts: TaskFacts | undefined): TaskType {
  const { download } = facts ?? { download: Download.fromPartial({}) };
  const pieceCount = task.pieceCount ?? 0;
  return TaskMessage.fromPartial({
    id: task.id,
    type: download.type,
    url: redact(task.url),
    ...(download.digest === undefined ? {} : { digest: download.digest }),
    ...(download.tag === undefined ? {} : { tag: download.tag }),
    ...(download.application === undefined ? {} : { application: download.application }),
    filteredQueryParams: download.filteredQueryParams,
    requestHeader: download.requestHeader,
    contentLength: task.layout?.contentLengthBytes ?? 0,
    pieceCount,
    sizeScope: sizeScope(task.layout, pieceCount),
    state: task.state,
    peerCount: task.peers.size,
    hasAvailablePeer: task.servers.size > 0,
    updatedAt: wallTime(task.updatedAtMs),
    createdAt: wallTime(facts?.createdAtMs ?? task.updatedAtMs),
  });
}

export function peerMessage(peer: Readonly<Peer>, task: TaskType, host: HostMessage): PeerType {
  return PeerMessage.fromPartial({
    id: peer.id,
    ...(peer.range ? { range: peer.range } : {}),
    priority: peer.priority as Priority,
    state: peer.state,
    cost: durationFromMs(Math.max(0, peer.updatedAtMs - peer.createdAtMs)),
    task,
    host,
    needBackToSource: peer.needBackToSource,
    createdAt: wallTime(peer.createdAtMs),
    updatedAt: wallTime(peer.updatedAtMs),
    concurrentPieceCount: peer.concurrentPieceCount,
  });
}

export interface OfferContext {
  readonly peer: (peerId: string) => Readonly<Peer> | undefined;
  readonly contact: (hostId: string) => HostMessage | undefined;
  /** Created only when needed, because daemons of this implementation need only addresses. */
  readonly task: () => TaskType;
  /** True when only the parents vouch for the content. */
  readonly unproven: boolean;
  /** True when the digests of all pieces will follow. */
  readonly pieceDigests: boolean;
}

/** Parents whose host has gone meanwhile are left out. Undefined when none remains. */
export function offerMessage(
  parents: readonly OfferedParent[],
  { additional, extended, context }: { additional: boolean; extended: boolean; context: OfferContext },
): Omit<NormalTaskResponse, 'ticket'> | undefined {
  const candidateParents = parents.flatMap(({ peerId, hostId }) => {
    const [peer, host] = [context.peer(peerId), context.contact(hostId)];
    if (!peer || !host) return [];
    // Daemons of this implementation need only the address; those of the original get every field their protocol requires.
    if (extended) return [{ ...emptyPeer, id: peerId, host }];
    return [peerMessage(peer, context.task(), host)];
  });
  if (candidateParents.length === 0) return undefined;
  const parentLinks = parents.map(({ peerId, edge, distance }) => ({
    peerId,
    kind: edge === 'exchange' ? ParentKind.EXCHANGE : ParentKind.BACKBONE,
    distance,
  }));
  return {
    candidateParents,
    parentLinks: extended ? parentLinks : [],
    additional: extended && additional,
    taskMetadata: undefined,
    unproven: extended && context.unproven,
    ...(extended && context.pieceDigests && { pieceDigests: true }),
  };
}

export function metadataMessage(layout: TaskLayout, facts: TaskFacts | undefined): TaskMetadata {
  return {
    contentLength: layout.contentLengthBytes,
    pieceLength: layout.pieceLengthBytes,
    responseHeader: { ...facts?.responseHeader },
    confirmed: false,
    ...(facts?.rangesSupported === undefined ? {} : { rangesSupported: facts.rangesSupported }),
  };
}

const emptyPeer = PeerMessage.fromPartial({});

function sizeScope(layout: TaskLayout | undefined, pieceCount: number): SizeScope {
  if (!layout) return SizeScope.UNKNOW;
  if (layout.contentLengthBytes === 0) return SizeScope.EMPTY;
  if (layout.contentLengthBytes <= 128) return SizeScope.TINY;
  return pieceCount === 1 ? SizeScope.SMALL : SizeScope.NORMAL;
}
