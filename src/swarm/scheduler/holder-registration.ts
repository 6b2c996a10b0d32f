/** The registration of a peer that only serves what it already holds. */
import { allFeatures, type HeldTask, type RegisterPeer } from '../shared/events.ts';

export function holderRegistration(hostId: string, { peerId, taskId, url, layout, pieces }: HeldTask): RegisterPeer {
  return {
    peerId,
    taskId,
    hostId,
    url,
    priority: 0,
    needBackToSource: false,
    disableBackToSource: false,
    knownLayout: layout,
    heldPieces: pieces,
    features: allFeatures,
  };
}
