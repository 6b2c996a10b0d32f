import type * as manager from '../../../gen/manager/v2/manager.ts';
import type { WatchChangesRequest } from '../../../gen/manager/v2/watch.ts';
import type * as release from '../../../gen/manager/v2/release.ts';
import { safeLength } from './common-schemas.ts';
import * as rule from './rules.ts';

const caller = { sourceType: rule.between(0, 2), hostname: rule.hostname, ip: rule.ip };
const build = { version: rule.text(), commit: rule.text() };
const place = { idc: rule.optional(rule.text()), location: rule.optional(rule.text()) };

const published = rule.schema<release.Release>({
  name: rule.text(128),
  version: rule.text(64),
  contentDigest: rule.digest,
  manifestTaskId: rule.taskId,
  manifestDigest: rule.digest,
  contentLength: safeLength,
  newLength: safeLength,
  fileCount: safeLength,
  replicas: rule.between(1, 1000),
  taskIds: rule.each(rule.taskId, 1024),
  publicKey: rule.optional(rule.text(64)),
  signature: rule.optional(rule.text(128)),
  publisher: rule.optional(rule.text(512)),
  expiresAt: rule.required,
});
const comingPack = rule.schema<release.ComingPack>({
  name: rule.text(128),
  version: rule.text(64),
  taskId: rule.taskId,
  publicKey: rule.optional(rule.text(64)),
  signature: rule.optional(rule.text(128)),
});
const hostId = rule.optional(rule.hostId);

export const managerSchemas: Readonly<Record<string, rule.MessageSchema>> = {
  'manager.v2.GetSeedPeerRequest': rule.schema<manager.GetSeedPeerRequest>({
    ...caller,
    seedPeerClusterId: rule.clusterId,
  }),
  'manager.v2.ListSeedPeersRequest': rule.schema<manager.ListSeedPeersRequest>({ ...caller, ...build }),
  'manager.v2.UpdateSeedPeerRequest': rule.schema<manager.UpdateSeedPeerRequest>({
    ...caller,
    ...place,
    type: rule.oneOf('super', 'strong', 'weak'),
    port: rule.port,
    downloadPort: rule.port,
    seedPeerClusterId: rule.clusterId,
  }),
  'manager.v2.DeleteSeedPeerRequest': rule.schema<manager.DeleteSeedPeerRequest>({
    ...caller,
    seedPeerClusterId: rule.clusterId,
  }),
  'manager.v2.GetSchedulerRequest': rule.schema<manager.GetSchedulerRequest>({
    ...caller,
    schedulerClusterId: rule.clusterId,
  }),
  'manager.v2.UpdateSchedulerRequest': rule.schema<manager.UpdateSchedulerRequest>({
    ...caller,
    ...place,
    schedulerClusterId: rule.clusterId,
    port: rule.port,
    features: rule.each(rule.text(64), 64),
    config: rule.bytes(64 * 1024),
  }),
  'manager.v2.ListSchedulersRequest': rule.schema<manager.ListSchedulersRequest>({ ...caller, ...place, ...build }),
  'manager.v2.ListApplicationsRequest': rule.schema<manager.ListApplicationsRequest>(caller),
  'manager.v2.WatchChangesRequest': rule.schema<WatchChangesRequest>(caller),
  'manager.v2.PublishReleaseRequest': rule.schema<release.PublishReleaseRequest>({
    release: rule.all(rule.required, rule.message(published)),
    hostId,
  }),
  'manager.v2.GetReleaseRequest': rule.schema<release.GetReleaseRequest>({
    name: rule.text(128),
    version: rule.optional(rule.text(64)),
  }),
  'manager.v2.WatchReleasesRequest': rule.schema<release.WatchReleasesRequest>({
    name: rule.text(128),
    afterId: safeLength,
  }),
  'manager.v2.AnnouncePackRequest': rule.schema<release.AnnouncePackRequest>({
    pack: rule.all(rule.required, rule.message(comingPack)),
    hostId,
  }),
  'manager.v2.WatchPacksRequest': rule.schema<release.WatchPacksRequest>({ name: rule.text(128) }),
  'manager.v2.ReportReleaseRequest': rule.schema<release.ReportReleaseRequest>({
    name: rule.text(128),
    version: rule.text(64),
    path: rule.text(4096),
    state: rule.oneOf('fetching', 'switched', 'failed'),
    error: rule.optional(rule.text(4096)),
    hostId,
  }),
  'manager.v2.KeepAliveRequest': rule.schema<manager.KeepAliveRequest>({ ...caller, clusterId: rule.clusterId }),
};
