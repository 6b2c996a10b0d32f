/**
 * Access rules of a manager's gRPC port. Only a service itself can register, keep alive and remove itself: by its
 * certificate or, without certificates, from its own address. Under `force` callers without a certificate can only
 * request one.
 */
import type { ManagerDefinition } from '../../../gen/manager/v2/manager.ts';
import type { ManagerWatchDefinition } from '../../../gen/manager/v2/watch.ts';
import type { ManagerReleasesDefinition } from '../../../gen/manager/v2/release.ts';
import { anyone, nodes, type Access } from '../../rpc/rights.ts';

export const managerAccess: Access<typeof ManagerDefinition> = {
  getSeedPeer: anyone,
  listSeedPeers: anyone,
  updateSeedPeer: ['seed', 'stranger'],
  deleteSeedPeer: ['seed', 'stranger'],
  getScheduler: anyone,
  updateScheduler: ['scheduler', 'stranger'],
  listSchedulers: anyone,
  listApplications: anyone,
  keepAlive: ['scheduler', 'seed', 'stranger'],
};

export const watchAccess: Access<typeof ManagerWatchDefinition> = {
  listRevokedCertificates: anyone,
  watchChanges: anyone,
};

/** Programs call through their node's socket, and the node only speaks for itself. */
export const releaseAccess: Access<typeof ManagerReleasesDefinition> = {
  publishRelease: nodes,
  getRelease: nodes,
  watchReleases: nodes,
  announcePack: nodes,
  watchPacks: nodes,
  reportRelease: nodes,
};
