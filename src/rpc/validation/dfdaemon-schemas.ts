import type * as dfdaemon from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type * as local from '../../../gen/dfdaemon/v2/local.ts';
import {
  download,
  keptContent,
  longestTtlSeconds,
  maxPieceNumber,
  objectStorage,
  pieceLength,
} from './common-schemas.ts';
import * as rule from './rules.ts';

const remoteIp = rule.optional(rule.ip);
const byTask = { taskId: rule.taskId, remoteIp };

const storage = rule.all(rule.required, rule.message(objectStorage));
const interested = rule.each(rule.between(0, maxPieceNumber), 65_536);
const syncPieces = { hostId: rule.hostId, taskId: rule.taskId, interestedPieceNumbers: interested };

export const dfdaemonSchemas: Readonly<Record<string, rule.MessageSchema>> = {
  'dfdaemon.v2.VerifyLocalTaskRequest': rule.schema<local.VerifyLocalTaskRequest>({ taskId: rule.taskId }),
  'dfdaemon.v2.ExportLocalTaskRequest': rule.schema<local.ExportLocalTaskRequest>({
    taskId: rule.taskId,
    outputPath: rule.optional(rule.text(4096)),
  }),
  'dfdaemon.v2.ListReceiptsRequest': rule.schema<local.ListReceiptsRequest>({
    taskId: rule.optional(rule.taskId),
    url: rule.optional(rule.text(16_384)),
    limit: rule.between(0, 10_000),
  }),
  'dfdaemon.v2.DownloadTaskRequest': rule.schema<dfdaemon.DownloadTaskRequest>({
    download: rule.all(rule.required, rule.message(download)),
  }),
  // Only a caller that wants all pieces may leave the list empty; the handler knows which caller that is.
  'dfdaemon.v2.SyncPiecesRequest': rule.schema<dfdaemon.SyncPiecesRequest>(syncPieces),
  'dfdaemon.v2.SyncPersistentPiecesRequest': rule.schema<dfdaemon.SyncPersistentPiecesRequest>(syncPieces),
  'dfdaemon.v2.SyncPersistentCachePiecesRequest': rule.schema<dfdaemon.SyncPersistentCachePiecesRequest>(syncPieces),
  'dfdaemon.v2.StatTaskRequest': rule.schema<dfdaemon.StatTaskRequest>(byTask),
  'dfdaemon.v2.StatLocalTaskRequest': rule.schema<dfdaemon.StatLocalTaskRequest>(byTask),
  'dfdaemon.v2.DeleteTaskRequest': rule.schema<dfdaemon.DeleteTaskRequest>(byTask),
  'dfdaemon.v2.DeleteLocalTaskRequest': rule.schema<dfdaemon.DeleteLocalTaskRequest>(byTask),
  'dfdaemon.v2.ListLocalTasksRequest': rule.schema<dfdaemon.ListLocalTasksRequest>({ remoteIp }),
  'dfdaemon.v2.ListTaskEntriesRequest': rule.schema<dfdaemon.ListTaskEntriesRequest>({
    taskId: rule.text(128),
    url: rule.url,
    timeout: rule.anyDuration,
    remoteIp,
  }),
  'dfdaemon.v2.SyncHostRequest': rule.schema<dfdaemon.SyncHostRequest>({ hostId: rule.hostId, peerId: rule.peerId }),
  'dfdaemon.v2.DownloadPersistentTaskRequest': rule.schema<dfdaemon.DownloadPersistentTaskRequest>({
    url: rule.url,
    objectStorage: storage,
    outputPath: rule.optional(rule.text(4096)),
    timeout: rule.anyDuration,
    digest: rule.optional(rule.digest),
    remoteIp,
    kept: rule.message(keptContent),
  }),
  'dfdaemon.v2.UploadPersistentTaskRequest': rule.schema<dfdaemon.UploadPersistentTaskRequest>({
    url: rule.url,
    objectStorage: storage,
    path: rule.text(4096),
    persistentReplicaCount: rule.between(1, 5),
    ttl: rule.duration(60, longestTtlSeconds),
    timeout: rule.anyDuration,
    remoteIp,
    write: rule.optional(rule.oneOf('through', 'back', 'replicas')),
  }),
  'dfdaemon.v2.RemovePersistentTaskRequest': rule.schema<local.RemovePersistentTaskRequest>({
    url: rule.url,
    objectStorage: storage,
  }),
  'dfdaemon.v2.UpdatePersistentTaskRequest': rule.schema<dfdaemon.UpdatePersistentTaskRequest>({
    ...byTask,
    kept: rule.message(keptContent),
  }),
  'dfdaemon.v2.StatPersistentTaskRequest': rule.schema<dfdaemon.StatPersistentTaskRequest>(byTask),
  'dfdaemon.v2.StatLocalPersistentTaskRequest': rule.schema<dfdaemon.StatLocalPersistentTaskRequest>(byTask),
  'dfdaemon.v2.DeletePersistentTaskRequest': rule.schema<dfdaemon.DeletePersistentTaskRequest>(byTask),
  'dfdaemon.v2.DownloadPersistentCacheTaskRequest': rule.schema<dfdaemon.DownloadPersistentCacheTaskRequest>({
    taskId: rule.taskId,
    tag: rule.optional(rule.text()),
    application: rule.optional(rule.text()),
    outputPath: rule.optional(rule.text(4096)),
    timeout: rule.anyDuration,
    digest: rule.optional(rule.digest),
    remoteIp,
    kept: rule.message(keptContent),
  }),
  'dfdaemon.v2.UploadPersistentCacheTaskRequest': rule.schema<dfdaemon.UploadPersistentCacheTaskRequest>({
    path: rule.text(4096),
    persistentReplicaCount: rule.between(1, 5),
    tag: rule.optional(rule.text()),
    application: rule.optional(rule.text()),
    pieceLength: rule.optional(pieceLength),
    ttl: rule.duration(60, longestTtlSeconds),
    timeout: rule.anyDuration,
    remoteIp,
  }),
  'dfdaemon.v2.UpdatePersistentCacheTaskRequest': rule.schema<dfdaemon.UpdatePersistentCacheTaskRequest>(byTask),
  'dfdaemon.v2.StatPersistentCacheTaskRequest': rule.schema<dfdaemon.StatPersistentCacheTaskRequest>(byTask),
  'dfdaemon.v2.StatLocalPersistentCacheTaskRequest': rule.schema<dfdaemon.StatLocalPersistentCacheTaskRequest>(byTask),
  'dfdaemon.v2.DeletePersistentCacheTaskRequest': rule.schema<dfdaemon.DeletePersistentCacheTaskRequest>(byTask),
  'dfdaemon.v2.StatCacheTaskRequest': rule.schema<dfdaemon.StatCacheTaskRequest>(byTask),
  'dfdaemon.v2.DeleteCacheTaskRequest': rule.schema<dfdaemon.DeleteCacheTaskRequest>(byTask),
  'dfdaemon.v2.SyncCachePiecesRequest': rule.schema<dfdaemon.SyncCachePiecesRequest>({
    hostId: rule.hostId,
    taskId: rule.taskId,
  }),
};
