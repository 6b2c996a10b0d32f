/**
 * AnnouncePersistentCachePeer, for daemons of the original: they download from the parents they are given and tell how it ended. Daemons of this
 * implementation take part in the swarm of the task as in any other (announce-peer.ts).
 */
import { DragonflyError } from '../../core/errors.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type {
  AnnouncePersistentCachePeerRequest,
  AnnouncePersistentCachePeerResponse,
} from '../../../gen/scheduler/v2/scheduler.ts';
import { presentHosts, type KeptTask } from '../../swarm/replicas/kept-task.ts';
import { nextPlace, type HostPlace } from '../../swarm/replicas/placement.ts';
import type { Brain } from '../brain.ts';
import { requireOwnHost } from '../hosts/own-host.ts';
import { heldPeerId, peerMessageOf } from './kept-messages.ts';
import type { ReplicaDesk } from './replica-desk.ts';

/** As many as the original offers. */
const maxParents = 4;

export async function* announceKeptPeer(
  { brain, desk }: { readonly brain: Brain; readonly desk: ReplicaDesk },
  requests: AsyncIterable<AnnouncePersistentCachePeerRequest>,
  context: CallContext,
): AsyncGenerator<AnnouncePersistentCachePeerResponse, void, undefined> {
  let persistent = false;
  const blocked = new Set<string>();
  for await (const { hostId, taskId, request } of requests) {
    requireOwnHost(hostId, context, brain);
    const task = desk.keeper.get(taskId);
    if (!task) throw new DragonflyError('NOT_FOUND', `this scheduler knows no persistent cache task ${taskId}`);
    switch (request?.$case) {
      case 'registerPersistentCachePeerRequest':
        persistent = request.value.persistent;
        yield task.facts.contentLengthBytes === 0 ? empty : offer(brain, task, hostId, blocked);
        break;
      case 'reschedulePersistentCachePeerRequest':
        for (const { id } of request.value.candidateParents) blocked.add(id);
        yield offer(brain, task, hostId, blocked);
        break;
      case 'downloadPersistentCachePeerFinishedRequest':
        desk.held(task.facts, hostId, persistent);
        desk.showHolders(taskId);
        return;
      case 'downloadPersistentCachePeerFailedRequest':
        return;
      case 'downloadPersistentCachePeerStartedRequest':
      case 'downloadPieceFinishedRequest':
      case 'downloadPieceFailedRequest':
        break;
      case undefined:
        throw new DragonflyError('FAILED_PRECONDITION', `a message of host ${hostId} says nothing`);
    }
  }
}

const empty: AnnouncePersistentCachePeerResponse = {
  response: { $case: 'emptyPersistentCacheTaskResponse', value: {} },
};

/** Those nearest to the child first. Throws FAILED_PRECONDITION when there is none. */
function offer(
  brain: Brain,
  task: Readonly<KeptTask>,
  childId: string,
  blocked: ReadonlySet<string>,
): AnnouncePersistentCachePeerResponse {
  const { taskId } = task.facts;
  const holders = presentHosts(task).filter((hostId) => hostId !== childId && !blocked.has(heldPeerId(hostId, taskId)));
  const candidateParents = nearestFirst(brain, holders, childId)
    .slice(0, maxParents)
    .flatMap((hostId) => peerMessageOf(task, hostId, brain) ?? []);
  if (candidateParents.length === 0)
    throw new DragonflyError('FAILED_PRECONDITION', `nobody else holds task ${taskId} at the moment`);
  return { response: { $case: 'normalPersistentCacheTaskResponse', value: { candidateParents } } };
}

/** The order in which replicas would be placed away from the child, from its end. */
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
