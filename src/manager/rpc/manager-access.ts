/**
 * Who may call what at a manager's gRPC port. A service is registered, kept alive and taken away by itself alone: by its certificate, or, where there are
 * none, from its own address. Under `force` nobody is heard without a certificate, but to ask for one.
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

/** Programs come by the socket of their node, which speaks for itself alone. */
export const releaseAccess: Access<typeof ManagerReleasesDefinition> = {
  publishRelease: nodes,
  getRelease: nodes,
  watchReleases: nodes,
  reportRelease: nodes,
};
