/**
 * Who may call what at the port for other nodes. Nodes exchange pieces; what makes this node work, tell or delete is for the control plane.
 * Where plain text is taken a node shows nothing: exchange is open to strangers there.
 */
import type { DfdaemonUploadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { anyone, controlPlane, type Access } from '../../rpc/rights.ts';

export const uploadAccess: Access<typeof DfdaemonUploadDefinition> = {
  downloadTask: controlPlane,
  statTask: controlPlane,
  statLocalTask: controlPlane,
  listTaskEntries: controlPlane,
  deleteTask: controlPlane,
  syncPieces: anyone,
  syncHost: anyone,
  downloadPersistentTask: controlPlane,
  updatePersistentTask: controlPlane,
  statPersistentTask: controlPlane,
  deletePersistentTask: controlPlane,
  syncPersistentPieces: anyone,
  downloadPersistentCacheTask: controlPlane,
  updatePersistentCacheTask: controlPlane,
  statPersistentCacheTask: controlPlane,
  deletePersistentCacheTask: controlPlane,
  syncPersistentCachePieces: anyone,
};
