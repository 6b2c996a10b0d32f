import type * as manager from '../../../gen/manager/v2/manager.ts';
import type { WatchChangesRequest } from '../../../gen/manager/v2/watch.ts';
import * as rule from './rules.ts';

const caller = { sourceType: rule.between(0, 2), hostname: rule.hostname, ip: rule.ip };
const build = { version: rule.text(), commit: rule.text() };
const place = { idc: rule.optional(rule.text()), location: rule.optional(rule.text()) };

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
  }),
  'manager.v2.ListSchedulersRequest': rule.schema<manager.ListSchedulersRequest>({ ...caller, ...place, ...build }),
  'manager.v2.ListApplicationsRequest': rule.schema<manager.ListApplicationsRequest>(caller),
  'manager.v2.WatchChangesRequest': rule.schema<WatchChangesRequest>(caller),
  'manager.v2.KeepAliveRequest': rule.schema<manager.KeepAliveRequest>({ ...caller, clusterId: rule.clusterId }),
};
