/**
 * AnnouncePersistentCachePeer and AnnouncePersistentPeer, for daemons of the original: they download from the parents
 * they are given and report how it ended. Daemons of this implementation take part in the task's swarm as in any other
 * (announce-peer.ts).
 */
import { DragonflyError } from '../../core/errors.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import {
  NeedBackToSourceResponse,
  type AnnouncePersistentCachePeerRequest,
  type AnnouncePersistentCachePeerResponse,
  type AnnouncePersistentPeerRequest,
  type AnnouncePersistentPeerResponse,
} from '../../../gen/scheduler/v2/scheduler.ts';
import { presentHosts, type KeptTask } from '../../swarm/replicas/kept-task.ts';
import { nextPlace, type HostPlace } from '../../swarm/replicas/placement.ts';
import type { Brain } from '../brain.ts';
import { requireOwnHost } from '../hosts/own-host.ts';
import type { KeptCalls } from './kept-calls.ts';
import { heldPeerId, peerMessageOf, persistentPeerMessageOf } from './kept-messages.ts';

/** The original offers as many. */
const maxParents = 4;

/** The meaning of a message; for the end of a download, whether the task is complete. */
type Word =
  | { readonly kind: 'register'; readonly persistent: boolean; readonly fromSource: boolean }
  | { readonly kind: 'reschedule'; readonly blocked: readonly string[] }
  | { readonly kind: 'ended'; readonly whole: boolean }
  | { readonly kind: 'progress' };

/** How messages about one kind of kept task are read and written. */
interface Dialect<Request, Response> {
  /** Undefined when the message has no meaning here. */
  readonly read: (request: Request) => Word | undefined;
  readonly empty: Response;
  /** Undefined when none of these hosts exists. */
  readonly offer: (task: Readonly<KeptTask>, hostIds: readonly string[], brain: Brain) => Response | undefined;
  /** Where else the content can be read: at its store, once it is there. */
  readonly source?: Response;
}

interface Named {
  readonly hostId: string;
  readonly taskId: string;
}

export async function* announceKeptPeer<Request extends Named, Response>(
  calls: KeptCalls,
  dialect: Dialect<Request, Response>,
  { requests, context }: { readonly requests: AsyncIterable<Request>; readonly context: CallContext },
): AsyncGenerator<Response, void, undefined> {
  const { brain, desk } = calls;
  let persistent = false;
  const blocked = new Set<string>();
  for await (const message of requests) {
    const { hostId, taskId } = message;
    requireOwnHost(hostId, context, brain);
    const task = calls.require(taskId);
    const word = dialect.read(message);
    switch (word?.kind) {
      case 'register': {
        ({ persistent } = word);
        const held = presentHosts(task).some((id) => id !== hostId);
        if (dialect.source && task.facts.object?.state === 'stored' && (word.fromSource || !held)) yield dialect.source;
        else
          yield task.facts.contentLengthBytes === 0 ? dialect.empty : offer(brain, task, { hostId, blocked, dialect });
        break;
      }
      case 'reschedule':
        for (const id of word.blocked) blocked.add(id);
        yield offer(brain, task, { hostId, blocked, dialect });
        break;
      case 'ended':
        if (!word.whole) return;
        desk.held(task.facts, hostId, persistent);
        desk.showHolders(taskId);
        return;
      case 'progress':
        break;
      case undefined:
        throw new DragonflyError('FAILED_PRECONDITION', `a message of host ${hostId} says nothing`);
    }
  }
}

export const cacheDialect: Dialect<AnnouncePersistentCachePeerRequest, AnnouncePersistentCachePeerResponse> = {
  read: ({ request }) => {
    switch (request?.$case) {
      case 'registerPersistentCachePeerRequest':
        return { kind: 'register', persistent: request.value.persistent, fromSource: false };
      case 'reschedulePersistentCachePeerRequest':
        return { kind: 'reschedule', blocked: request.value.candidateParents.map(({ id }) => id) };
      case 'downloadPersistentCachePeerFinishedRequest':
      case 'downloadPersistentCachePeerFailedRequest':
        return { kind: 'ended', whole: request.$case === 'downloadPersistentCachePeerFinishedRequest' };
      case 'downloadPersistentCachePeerStartedRequest':
      case 'downloadPieceFinishedRequest':
      case 'downloadPieceFailedRequest':
        return { kind: 'progress' };
      case undefined:
        return undefined;
    }
  },
  empty: { response: { $case: 'emptyPersistentCacheTaskResponse', value: {} } },
  offer: (task, hostIds, brain) => {
    const candidateParents = hostIds.flatMap((hostId) => peerMessageOf(task, hostId, brain) ?? []);
    if (candidateParents.length === 0) return undefined;
    return { response: { $case: 'normalPersistentCacheTaskResponse', value: { candidateParents } } };
  },
};

export const persistentDialect: Dialect<AnnouncePersistentPeerRequest, AnnouncePersistentPeerResponse> = {
  read: ({ request }) => {
    switch (request?.$case) {
      case 'registerPersistentPeerRequest': {
        const { persistent, needBackToSource: fromSource } = request.value;
        return { kind: 'register', persistent, fromSource };
      }
      case 'reschedulePersistentPeerRequest':
        return { kind: 'reschedule', blocked: request.value.candidateParents.map(({ id }) => id) };
      case 'downloadPersistentPeerFinishedRequest':
        return { kind: 'ended', whole: true };
      // The store may hold another object by now, and the message does not say which one the peer got.
      case 'downloadPersistentPeerBackToSourceFinishedRequest':
      case 'downloadPersistentPeerFailedRequest':
      case 'downloadPersistentPeerBackToSourceFailedRequest':
        return { kind: 'ended', whole: false };
      case 'downloadPersistentPeerStartedRequest':
      case 'downloadPersistentPeerBackToSourceStartedRequest':
      case 'downloadPieceFinishedRequest':
      case 'downloadPieceBackToSourceFinishedRequest':
      case 'downloadPieceFailedRequest':
      case 'downloadPieceBackToSourceFailedRequest':
        return { kind: 'progress' };
      case undefined:
        return undefined;
    }
  },
  empty: { response: { $case: 'emptyPersistentTaskResponse', value: {} } },
  offer: (task, hostIds, brain) => {
    const candidateParents = hostIds.flatMap((hostId) => persistentPeerMessageOf(task, hostId, brain) ?? []);
    if (candidateParents.length === 0) return undefined;
    return { response: { $case: 'normalPersistentTaskResponse', value: { candidateParents } } };
  },
  source: { response: { $case: 'needBackToSourceResponse', value: NeedBackToSourceResponse.fromPartial({}) } },
};

/** The hosts nearest to the child come first. Throws FAILED_PRECONDITION when there is none. */
function offer<Request, Response>(
  brain: Brain,
  task: Readonly<KeptTask>,
  {
    hostId: childId,
    blocked,
    dialect,
  }: { readonly hostId: string; readonly blocked: ReadonlySet<string>; readonly dialect: Dialect<Request, Response> },
): Response {
  const { taskId } = task.facts;
  const holders = presentHosts(task).filter((hostId) => hostId !== childId && !blocked.has(heldPeerId(hostId, taskId)));
  const answer = dialect.offer(task, nearestFirst(brain, holders, childId).slice(0, maxParents), brain);
  if (answer === undefined)
    throw new DragonflyError('FAILED_PRECONDITION', `nobody else holds task ${taskId} at the moment`);
  return answer;
}

/** The reverse of the order in which replicas would be placed away from the child. */
function nearestFirst(brain: Brain, hostIds: readonly string[], childId: string): string[] {
  const place = (hostId: string): HostPlace => {
    const { ip = '', network } = brain.hosts.get(hostId)?.host ?? {};
    return { hostId, ip, idc: network?.idc ?? '', location: network?.location ?? '', freeBytes: 0, shares: true };
  };
  const child = place(childId);
  const farthestFirst: string[] = [];
  let left = hostIds.map(place);
  for (let next = nextPlace(left, [child]); next; next = nextPlace(left, [child])) {
    const { hostId } = next;
    farthestFirst.push(hostId);
    left = left.filter((other) => other.hostId !== hostId);
  }
  return farthestFirst.reverse();
}
