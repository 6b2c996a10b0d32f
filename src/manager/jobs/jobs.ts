/** Opens everything about jobs together. */
import type { Owned } from '../../core/process/lifecycle.ts';
import { pemOf } from '../../core/files/pem.ts';
import { OutboundProxies } from '../../core/net/outbound-proxy.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Channels } from '../../rpc/channels.ts';
import type { Sealer } from '../access/sealer.ts';
import type { Topology } from '../clusters/topology.ts';
import type { ManagerConfig } from '../config.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import type { ManagerMetrics } from '../metrics.ts';
import { ClusterHosts } from './cluster-hosts.ts';
import { collectJob, type CollectParts } from './collect.ts';
import { DaemonClient } from './daemon-client.ts';
import { Egress } from '../../rpc/registry/egress.ts';
import { JobRunner } from './job-runner.ts';
import { JobService } from './job-service.ts';
import { JobStore } from './job-store.ts';
import { JobTasks } from './job-tasks.ts';
import { preheat, type PreheatParts } from './preheat.ts';
import { namesHost } from '../../rpc/registry/insecure-hosts.ts';
import { RegistryClient } from '../../rpc/registry/registry-client.ts';
import { syncPeersJob, type SyncPeersParts } from './sync-peers.ts';
import { deleteTask, getTask, imageDistribution } from './task-jobs.ts';

export interface JobsParts {
  readonly config: ManagerConfig;
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly topology: Topology;
  readonly channels: Channels;
  readonly sealer: Sealer;
  readonly metrics: ManagerMetrics;
  readonly owner: string;
  readonly logger: Logger;
  /** Ports on which this manager listens, once it does. */
  readonly ownPorts: () => ReadonlySet<number>;
}

export interface Jobs {
  readonly service: JobService;
  readonly tasks: JobTasks;
  readonly runner: JobRunner;
  readonly hosts: ClusterHosts;
  readonly preheat: PreheatParts;
  readonly syncPeers: SyncPeersParts;
  readonly collect: CollectParts;
}

export async function openJobs(parts: JobsParts, owned: Owned): Promise<Jobs> {
  const { config, database, changes, topology, channels, metrics, owner, logger } = parts;
  const { tls, registryTimeout, outboundProxy, allowCIDRs, denyCIDRs, insecureHosts, hubEndpoint } = config.job.preheat;
  if (tls.insecureSkipVerify)
    logger.warn('job.preheat.tls.insecureSkipVerify is on: certificates of registries are not verified');
  const store = new JobStore(database, changes, parts.sealer);
  const tasks = new JobTasks(database);
  const hosts = new ClusterHosts(topology, channels);
  const registry = owned.add(
    'registry client',
    new RegistryClient({
      egress: new Egress({ allow: allowCIDRs, deny: denyCIDRs, ownPorts: parts.ownPorts }),
      timeoutMs: registryTimeout,
      outbound: new OutboundProxies(outboundProxy),
      ca: tls.caCert ? await pemOf(tls.caCert, 'job.preheat.tls.caCert') : undefined,
      insecure: (url) => tls.insecureSkipVerify || namesHost(insecureHosts, url),
    }),
  );
  const preheatParts: PreheatParts = { hosts, daemons: new DaemonClient(channels), registry, hubEndpoint };
  const syncPeers: SyncPeersParts = { database, changes, hosts, logger };
  const collect: CollectParts = { database, store };
  const runner = owned.add(
    'job runner',
    new JobRunner({
      store,
      tasks,
      changes,
      owner,
      logger,
      executors: {
        preheat: preheat(preheatParts),
        get_task: getTask(preheatParts),
        delete_task: deleteTask(preheatParts),
        get_image_distribution: imageDistribution(preheatParts),
        sync_peers: syncPeersJob(syncPeers),
        gc: collectJob(collect),
      },
    }),
  );
  const service = new JobService({ store, topology, changes, metrics });
  return { service, tasks, runner, hosts, preheat: preheatParts, syncPeers, collect };
}
