import { maxPieceLengthBytes } from '../../core/piece-layout.ts';
import type { WatchTaskRequest } from '../../../gen/scheduler/v2/live.ts';
import type * as scheduler from '../../../gen/scheduler/v2/scheduler.ts';
import {
  download,
  host,
  keptContent,
  longestTtlSeconds,
  maxPieceNumber,
  objectStorage,
  piece,
  pieceLength,
} from './common-schemas.ts';
import * as rule from './rules.ts';

const byHost = { hostId: rule.hostId };
const byTask = { ...byHost, taskId: rule.taskId };
const byPeer = { ...byTask, peerId: rule.peerId };

const withPiece = { piece: rule.all(rule.required, rule.message(piece)) };
const pieceFailed = rule.schema<scheduler.DownloadPieceFailedRequest>({
  pieceNumber: rule.optional(rule.between(0, maxPieceNumber)),
  parentId: rule.peerId,
});

const parentTraffic = rule.schema<scheduler.ParentTraffic>({ peerId: rule.peerId });

const taskMetadata = rule.schema<scheduler.TaskMetadata>({
  contentLength: rule.optional(rule.between(0, Number.MAX_SAFE_INTEGER)),
  pieceLength: rule.optional(rule.between(1, maxPieceLengthBytes)),
});

/** A byte of the bitmap covers eight pieces. */
const bitmap: rule.Rule = (value, path) => {
  if ((value as Uint8Array).length > (maxPieceNumber + 1) / 8)
    rule.fail(path, 'names more pieces than a task can have');
};

const announcePeerMembers: Readonly<Record<string, rule.MessageSchema>> = {
  registerPeerRequest: rule.schema<scheduler.RegisterPeerRequest>({
    download: rule.all(rule.required, rule.message(download)),
  }),
  downloadPieceFinishedRequest: rule.schema<scheduler.DownloadPieceFinishedRequest>(withPiece),
  downloadPieceBackToSourceFinishedRequest: rule.schema<scheduler.DownloadPieceBackToSourceFinishedRequest>(withPiece),
  downloadPieceFailedRequest: pieceFailed,
  reschedulePeerRequest: rule.schema<scheduler.ReschedulePeerRequest>({
    candidateParents: rule.each(rule.message({ id: rule.peerId }), 256),
  }),
  downloadPiecesFinishedRequest: rule.schema<scheduler.DownloadPiecesFinishedRequest>({
    pieces: bitmap,
    parents: rule.each(rule.message(parentTraffic), 256),
  }),
  taskMetadataRequest: taskMetadata,
  // No lease id: the daemon got nothing from others and went to the origin on its own.
  originLeaseFailedRequest: rule.schema<scheduler.OriginLeaseFailedRequest>({ leaseId: rule.optional(rule.text(128)) }),
};

const holding = rule.schema<scheduler.TaskHolding>({
  taskId: rule.taskId,
  peerId: rule.peerId,
  download: rule.message(download),
  taskMetadata: rule.message(taskMetadata),
  pieces: bitmap,
  kept: rule.message(keptContent),
});

const announced = { ...byPeer, request: rule.oneofMember() };
const replicas = rule.between(1, 1000);

const count = rule.optional(rule.between(1, 200));
const preheat = {
  url: rule.url,
  pieceLength: rule.optional(pieceLength),
  ips: rule.each(rule.ip, 1000),
  scope: rule.optional(rule.oneOf('single_seed_peer', 'all_seed_peers', 'all_peers')),
  percentage: rule.optional(rule.between(1, 100)),
  count,
  concurrentTaskCount: rule.optional(rule.between(1, 100)),
  concurrentPeerCount: rule.optional(rule.between(1, 1000)),
  timeout: rule.anyDuration,
  priority: rule.between(0, 6),
};
const stat = {
  url: rule.url,
  pieceLength: rule.optional(pieceLength),
  concurrentPeerCount: rule.optional(rule.between(1, 1000)),
  timeout: rule.anyDuration,
};

export const schedulerSchemas: Readonly<Record<string, rule.MessageSchema>> = {
  'scheduler.v2.AnnouncePeerRequest': rule.schema<scheduler.AnnouncePeerRequest>({
    ...byPeer,
    request: rule.oneofMember(announcePeerMembers),
  }),
  'scheduler.v2.StatPeerRequest': rule.schema<scheduler.StatPeerRequest>(byPeer),
  'scheduler.v2.DeletePeerRequest': rule.schema<scheduler.DeletePeerRequest>(byPeer),
  'scheduler.v2.StatTaskRequest': rule.schema<scheduler.StatTaskRequest>(byTask),
  'scheduler.v2.DeleteTaskRequest': rule.schema<scheduler.DeleteTaskRequest>(byTask),
  'scheduler.v2.AnnounceHostRequest': rule.schema<scheduler.AnnounceHostRequest>({
    host: rule.all(rule.required, rule.message(host)),
    interval: rule.anyDuration,
  }),
  'scheduler.v2.ListHostsRequest': rule.schema<scheduler.ListHostsRequest>({ type: rule.optional(rule.between(0, 3)) }),
  'scheduler.v2.DeleteHostRequest': rule.schema<scheduler.DeleteHostRequest>(byHost),
  'scheduler.v2.WatchTaskRequest': rule.schema<WatchTaskRequest>({ taskId: rule.taskId }),
  'scheduler.v2.HoldHostRequest': rule.schema<scheduler.HoldHostRequest>(byHost),
  'scheduler.v2.AskProofRequest': rule.schema<scheduler.AskProofRequest>({ ...byHost, key: rule.taskId }),
  'scheduler.v2.TellProofRequest': rule.schema<scheduler.TellProofRequest>({ ...byHost, key: rule.taskId }),
  'scheduler.v2.NoteObjectRequest': rule.schema<scheduler.NoteObjectRequest>({
    ...byHost,
    key: rule.taskId,
    bucket: rule.taskId,
    note: rule.between(1, 3),
  }),
  'scheduler.v2.AnnounceTasksRequest': rule.schema<scheduler.AnnounceTasksRequest>({
    ...byHost,
    holdings: rule.each(rule.message(holding), 10_000),
  }),
  'scheduler.v2.PreheatImageRequest': rule.schema<scheduler.PreheatImageRequest>(preheat),
  'scheduler.v2.PreheatFileRequest': rule.schema<scheduler.PreheatFileRequest>({
    ...preheat,
    urls: rule.each(rule.url, 10_000),
  }),
  'scheduler.v2.StatImageRequest': rule.schema<scheduler.StatImageRequest>({
    ...stat,
    concurrentLayerCount: rule.optional(rule.between(1, 100)),
  }),
  'scheduler.v2.StatFileRequest': rule.schema<scheduler.StatFileRequest>(stat),
  'scheduler.v2.StatPersistentPeerRequest': rule.schema<scheduler.StatPersistentPeerRequest>(byPeer),
  'scheduler.v2.DeletePersistentPeerRequest': rule.schema<scheduler.DeletePersistentPeerRequest>(byPeer),
  'scheduler.v2.StatPersistentTaskRequest': rule.schema<scheduler.StatPersistentTaskRequest>(byTask),
  'scheduler.v2.DeletePersistentTaskRequest': rule.schema<scheduler.DeletePersistentTaskRequest>(byTask),
  'scheduler.v2.StatPersistentCachePeerRequest': rule.schema<scheduler.StatPersistentCachePeerRequest>(byPeer),
  'scheduler.v2.DeletePersistentCachePeerRequest': rule.schema<scheduler.DeletePersistentCachePeerRequest>(byPeer),
  'scheduler.v2.StatPersistentCacheTaskRequest': rule.schema<scheduler.StatPersistentCacheTaskRequest>(byTask),
  'scheduler.v2.DeletePersistentCacheTaskRequest': rule.schema<scheduler.DeletePersistentCacheTaskRequest>(byTask),
  'scheduler.v2.AnnounceCachePeerRequest': rule.schema<scheduler.AnnounceCachePeerRequest>(announced),
  'scheduler.v2.StatCachePeerRequest': rule.schema<scheduler.StatCachePeerRequest>(byPeer),
  'scheduler.v2.DeleteCachePeerRequest': rule.schema<scheduler.DeleteCachePeerRequest>(byPeer),
  'scheduler.v2.StatCacheTaskRequest': rule.schema<scheduler.StatCacheTaskRequest>(byTask),
  'scheduler.v2.DeleteCacheTaskRequest': rule.schema<scheduler.DeleteCacheTaskRequest>(byTask),
  'scheduler.v2.AnnouncePersistentPeerRequest': rule.schema<scheduler.AnnouncePersistentPeerRequest>(announced),
  'scheduler.v2.AnnouncePersistentCachePeerRequest':
    rule.schema<scheduler.AnnouncePersistentCachePeerRequest>(announced),
  'scheduler.v2.UploadPersistentTaskStartedRequest': rule.schema<scheduler.UploadPersistentTaskStartedRequest>({
    ...byPeer,
    url: rule.url,
    objectStorage: rule.all(rule.required, rule.message(objectStorage)),
    persistentReplicaCount: replicas,
    contentLength: rule.between(0, Number.MAX_SAFE_INTEGER),
    ttl: rule.duration(300, longestTtlSeconds),
    kept: rule.message(keptContent),
  }),
  'scheduler.v2.UploadPersistentTaskFinishedRequest': rule.schema<scheduler.UploadPersistentTaskFinishedRequest>({
    ...byPeer,
    kept: rule.message(keptContent),
  }),
  'scheduler.v2.UploadPersistentTaskFailedRequest': rule.schema<scheduler.UploadPersistentTaskFailedRequest>(byPeer),
  'scheduler.v2.UploadPersistentCacheTaskStartedRequest':
    rule.schema<scheduler.UploadPersistentCacheTaskStartedRequest>({
      ...byPeer,
      pieceLength,
      persistentReplicaCount: replicas,
      contentLength: rule.between(0, Number.MAX_SAFE_INTEGER),
      ttl: rule.duration(300, longestTtlSeconds),
    }),
  'scheduler.v2.UploadPersistentCacheTaskFinishedRequest':
    rule.schema<scheduler.UploadPersistentCacheTaskFinishedRequest>(byPeer),
  'scheduler.v2.UploadPersistentCacheTaskFailedRequest':
    rule.schema<scheduler.UploadPersistentCacheTaskFailedRequest>(byPeer),
};
