/**
 * Who may call what at the port for other nodes. Nodes exchange pieces; calls that make this node work, report or
 * delete are for the control plane. When plain text is accepted nodes cannot be identified, so piece exchange is open
 * to strangers.
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
