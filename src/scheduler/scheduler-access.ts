/**
 * Who may call what at a scheduler. Nodes speak for themselves (own-host.ts); in a cluster without certificates a
 * stranger's word is believed, as by the original. Listing and preheating are for the manager, and for tools on the
 * scheduler's own machine.
 */
import type { SchedulerLiveDefinition } from '../../gen/scheduler/v2/live.ts';
import type { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { controlPlane, nodes, type Access } from '../rpc/rights.ts';

const members = ['peer', 'seed'] as const;
const operators = [...controlPlane, 'neighbour'] as const;

export const schedulerAccess: Access<typeof SchedulerDefinition> = {
  announcePeer: nodes,
  holdHost: nodes,
  beatHost: nodes,
  announceHost: nodes,
  deleteHost: nodes,
  deletePeer: nodes,
  deleteTask: nodes,
  announceTasks: nodes,
  // A false report that an object has changed only makes others ask its store again.
  noteObject: nodes,
  statPeer: nodes,
  statTask: [...nodes, ...controlPlane],
  listHosts: operators,
  preheatImage: operators,
  statImage: operators,
  preheatFile: operators,
  statFile: operators,
  uploadPersistentCacheTaskStarted: nodes,
  uploadPersistentCacheTaskFinished: nodes,
  uploadPersistentCacheTaskFailed: nodes,
  announcePersistentCachePeer: nodes,
  deletePersistentCachePeer: nodes,
  statPersistentCachePeer: nodes,
  statPersistentCacheTask: [...nodes, ...controlPlane],
  uploadPersistentTaskStarted: nodes,
  uploadPersistentTaskFinished: nodes,
  uploadPersistentTaskFailed: nodes,
  announcePersistentPeer: nodes,
  deletePersistentPeer: nodes,
  statPersistentPeer: nodes,
  statPersistentTask: [...nodes, ...controlPlane],
  // Among nodes, only the one that imported it.
  deletePersistentTask: [...nodes, ...controlPlane],
  deletePersistentCacheTask: [...nodes, ...controlPlane],
  // The answer opens content to others, so only authenticated callers are believed.
  askProof: members,
  tellProof: members,
};

export const liveAccess: Access<typeof SchedulerLiveDefinition> = {
  watchTasks: operators,
  watchTask: operators,
  watchHosts: operators,
  watchTraffic: operators,
  getRecording: operators,
  listKeptTasks: operators,
};
