import type { Logger } from '../../core/process/logger.ts';
import type { Registry } from '../../core/metrics.ts';
import type { Access } from '../access/access.ts';
import type { OAuth } from '../access/oauth.ts';
import type { AuditLog } from '../access/audit.ts';
import type { Ca } from '../ca/ca.ts';
import type { ClusterStore } from '../clusters/cluster-store.ts';
import type { ManagerConfig } from '../config.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { KeptTasks } from '../live/kept-tasks.ts';
import type { LiveSwarms } from '../live/live-swarms.ts';
import type { ConcernDesk } from '../nodes/concern-desk.ts';
import type { Nodes } from '../nodes/nodes.ts';
import type { ReleaseStore } from '../releases/release-store.ts';
import type { Replication } from '../replication/replication.ts';
import type { DistributionStore } from '../traffic/distribution-store.ts';
import type { DownloadStore } from '../traffic/download-store.ts';
import type { RecordingStore } from '../traffic/recording-store.ts';
import type { ShareStore } from '../traffic/share-store.ts';
import type { TrafficStore } from '../traffic/traffic-store.ts';
import type { ManagerMetrics } from '../metrics.ts';

/** The stores of past traffic. */
export interface History {
  readonly traffic: TrafficStore;
  readonly shares: ShareStore;
  readonly distributions: DistributionStore;
  readonly downloads: DownloadStore;
  readonly recordings: RecordingStore;
}

/** What the routes use. */
export interface RestParts {
  readonly config: ManagerConfig;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly metrics: ManagerMetrics;
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly access: Access;
  readonly audit: AuditLog;
  readonly clusters: ClusterStore;
  readonly jobs: Jobs;
  readonly oauth: OAuth;
  readonly ca: Ca;
  readonly ownAddress: { readonly grpcPort: () => number };
  readonly live: LiveSwarms;
  readonly keptTasks: KeptTasks;
  readonly nodes: Nodes;
  readonly concerns: ConcernDesk;
  readonly history: History;
  readonly releases: ReleaseStore;
  readonly replication: Replication;
}
