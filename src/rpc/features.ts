/**
 * Extensions of the protocol are only used between sides that both announced them: a client in the metadata of its
 * request, a server in its first metadata.
 */
import type { Metadata } from '@grpc/grpc-js';

export const featuresHeader = 'x-dragonfly-features';

/** A random text that a scheduler creates at its start: a new one means that it has lost its memory. */
export const instanceHeader = 'x-dragonfly-instance';

/** The number of hosts that a scheduler knows, which determines how busy it may be. */
export const hostsHeader = 'x-dragonfly-hosts';

/** Advertised address of the scheduler that calls a seed, which then registers there. */
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
