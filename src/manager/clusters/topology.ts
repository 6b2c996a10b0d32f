/**
 * The current topology: clusters, their active schedulers and seed peers, applications. Daemons request it all the
 * time, so it is read once and kept until something in it changes.
 */
import { hostPort } from '../../core/net/host-port.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { parseJson, parseScopes, type Scopes } from './types.ts';

export interface SchedulerCluster {
  readonly id: number;
  readonly name: string;
  readonly bio: string;
  /** JSON as stored; protocol clients get it unchanged. */
  readonly config: string;
  readonly clientConfig: string;
  readonly seedClientConfig: string;
  readonly scopesJson: string;
  readonly scopes: Scopes;
  readonly isDefault: boolean;
  readonly schedulers: readonly SchedulerMember[];
  readonly seedPeers: readonly SeedPeerMember[];
}

export interface SchedulerMember {
  readonly id: number;
  readonly hostname: string;
  readonly ip: string;
  readonly port: number;
  readonly idc: string;
  readonly location: string;
  readonly state: string;
  readonly features: readonly string[];
  readonly clusterId: number;
}

export interface SeedPeerMember {
  readonly id: number;
  readonly hostname: string;
  readonly type: string;
  readonly ip: string;
  readonly port: number;
  readonly downloadPort: number;
  readonly idc: string;
  readonly location: string;
  readonly state: string;
  readonly clusterId: number;
  readonly cluster: SeedPeerCluster;
}

export interface SeedPeerCluster {
  readonly id: number;
  readonly name: string;
  readonly bio: string;
  readonly config: string;
}

export interface Application {
  readonly id: number;
  readonly name: string;
  readonly url: string;
  readonly bio: string;
  readonly priority: {
    readonly value: number;
    readonly urls: readonly { readonly regex: string; readonly value: number }[];
  };
}

export interface TopologySnapshot {
  /** Keyed by id; contains only active schedulers and seed peers. */
  readonly clusters: ReadonlyMap<number, SchedulerCluster>;
  readonly applications: readonly Application[];
}

export interface ActiveScheduler {
  /** host:port. */
  readonly address: string;
  readonly clusterId: number;
}

/** With keys of its own, since one scheduler may belong to several clusters. */
export function activeSchedulers({ clusters }: TopologySnapshot): Map<string, ActiveScheduler> {
  const active = new Map<string, ActiveScheduler>();
  for (const { id: clusterId, schedulers } of clusters.values()) {
    for (const { ip, port } of schedulers) {
      const address = hostPort(ip, port);
      active.set(`${clusterId} ${address}`, { address, clusterId });
    }
  }
  return active;
}

const topics = new Set(['cluster', 'scheduler', 'seed_peer', 'application']);

/** Reads the snapshot again after this time even without an announced change. */
const maxAgeMs = 30_000;

export class Topology {
  readonly #database: Database;
  readonly #logger: Logger;
  #snapshot: TopologySnapshot | undefined;
  #readAtMs = 0;
  #generation = 0;
  #reading: Promise<TopologySnapshot> | undefined;

  constructor(database: Database, changes: ChangeFeed, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
    changes.subscribe(({ topic }) => {
      if (topics.has(topic)) this.invalidate();
    });
  }

  invalidate(): void {
    this.#generation += 1;
    this.#snapshot = undefined;
    this.#reading = undefined;
  }

  async current(): Promise<TopologySnapshot> {
    if (this.#snapshot && performance.now() - this.#readAtMs < maxAgeMs) return this.#snapshot;
    this.#reading ??= this.#read();
    return this.#reading;
  }

  async #read(): Promise<TopologySnapshot> {
    const generation = this.#generation;
    try {
      const snapshot = await readTopology(this.#database);
      // A change during the read may or may not be included: return the result, but do not keep it.
      if (generation === this.#generation) {
        this.#snapshot = snapshot;
        this.#readAtMs = performance.now();
      }
      this.#logger.trace({ clusters: snapshot.clusters.size }, 'topology read');
      return snapshot;
    } finally {
      if (generation === this.#generation) this.#reading = undefined;
    }
  }
}

async function readTopology({ db }: Database): Promise<TopologySnapshot> {
  const [clusters, schedulers, seedPeers, seedPeerClusters, links, applications] = await Promise.all([
    db.selectFrom('scheduler_cluster').selectAll().orderBy('id').execute(),
    db.selectFrom('scheduler').selectAll().where('state', '=', 'active').orderBy('id').execute(),
    db.selectFrom('seed_peer').selectAll().where('state', '=', 'active').orderBy('id').execute(),
    db.selectFrom('seed_peer_cluster').selectAll().execute(),
    db.selectFrom('seed_peer_cluster_scheduler_cluster').selectAll().execute(),
    db.selectFrom('application').selectAll().orderBy('id').execute(),
  ]);
  const seedClusterById = new Map(seedPeerClusters.map((row) => [row.id, toSeedPeerCluster(row)]));
  const schedulersByCluster = Map.groupBy(schedulers.map(toScheduler), (member) => member.clusterId);
  const seedPeersByCluster = Map.groupBy(
    seedPeers.flatMap((row) => {
      const cluster = seedClusterById.get(row.seed_peer_cluster_id);
      return cluster ? [toSeedPeer(row, cluster)] : [];
    }),
    (member) => member.clusterId,
  );
  const linksByCluster = Map.groupBy(links, (link) => link.scheduler_cluster_id);
  return {
    clusters: new Map(
      clusters.map((row) => [
        row.id,
        {
          ...toCluster(row),
          schedulers: schedulersByCluster.get(row.id) ?? [],
          seedPeers: (linksByCluster.get(row.id) ?? []).flatMap(
            (link) => seedPeersByCluster.get(link.seed_peer_cluster_id) ?? [],
          ),
        },
      ]),
    ),
    applications: applications.map((row) => {
      const priority = parseJson<Partial<Application['priority']>>(row.priority, {});
      return {
        id: row.id,
        name: row.name,
        url: row.url,
        bio: row.bio,
        priority: { value: priority.value ?? 0, urls: priority.urls ?? [] },
      };
    }),
  };
}

function toCluster(row: {
  id: number;
  name: string;
  bio: string;
  config: string;
  client_config: string;
  seed_client_config: string;
  scopes: string;
  is_default: number;
}): Omit<SchedulerCluster, 'schedulers' | 'seedPeers'> {
  return {
    id: row.id,
    name: row.name,
    bio: row.bio,
    config: row.config,
    clientConfig: row.client_config,
    seedClientConfig: row.seed_client_config,
    scopesJson: row.scopes,
    scopes: parseScopes(row.scopes),
    isDefault: row.is_default === 1,
  };
}

function toSeedPeerCluster(row: SeedPeerCluster): SeedPeerCluster {
  return { id: row.id, name: row.name, bio: row.bio, config: row.config };
}

interface MemberRow {
  id: number;
  host_name: string;
  ip: string;
  port: number;
  idc: string;
  location: string;
  state: string;
}

export function toScheduler(row: MemberRow & { features: string; scheduler_cluster_id: number }): SchedulerMember {
  return { ...toMember(row), features: parseJson<string[]>(row.features, []), clusterId: row.scheduler_cluster_id };
}

export function toSeedPeer(
  row: MemberRow & { type: string; download_port: number; seed_peer_cluster_id: number },
  cluster: SeedPeerCluster,
): SeedPeerMember {
  return {
    ...toMember(row),
    type: row.type,
    downloadPort: row.download_port,
    clusterId: row.seed_peer_cluster_id,
    cluster,
  };
}

function toMember(row: MemberRow) {
  return {
    id: row.id,
    hostname: row.host_name,
    ip: row.ip,
    port: row.port,
    idc: row.idc,
    location: row.location,
    state: row.state,
  };
}
