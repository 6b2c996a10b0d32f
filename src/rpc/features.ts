/**
 * Extensions of the protocol are used only between sides that both announced them: a client in the metadata of its
 * request, a server in the metadata it answers with first.
 */
import type { Metadata } from '@grpc/grpc-js';

export const featuresHeader = 'x-dragonfly-features';

/** A random text a scheduler makes at its start: a new one means that it has forgotten everything. */
export const instanceHeader = 'x-dragonfly-instance';

/** How many hosts a scheduler knows: so much may keep it busy before it answers. */
export const hostsHeader = 'x-dragonfly-hosts';

/** The advertised address of the scheduler that calls a seed: the seed registers there. */
export const schedulerHeader = 'x-dragonfly-scheduler';

/** Batched piece reports, origin leases, exchange parents, bitmaps in SyncPieces, receipts. */
export const swarmFeature = 'swarm1';

export function announcesSwarm(metadata: Metadata): boolean {
  return metadata.get(featuresHeader).some((value) =>
    String(value)
      .split(',')
      .some((feature) => feature.trim() === swarmFeature),
  );
}
