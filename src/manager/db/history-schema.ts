/** Tables of the history: who got what, how distributions went, and the last downloads of nodes. */
import type { Generated } from 'kysely';

export interface TrafficTable {
  id: Generated<number>;
  scheduler_cluster_id: number;
  span: string;
  at: number;
  origin_bytes: number;
  peer_bytes: number;
  downloads: number;
}

/** Of an hour or a day. */
export interface TrafficShareTable {
  id: Generated<number>;
  scheduler_cluster_id: number;
  kind: string;
  span: string;
  at: number;
  name: string;
  origin_bytes: number;
  peer_bytes: number;
  given_bytes: number;
  downloads: number;
  failures: number;
}

export interface DistributionTable {
  id: Generated<number>;
  scheduler_cluster_id: number;
  /** Address and start time of the reporting scheduler. */
  scheduler: string;
  /** Sequence number of the distribution at that scheduler. */
  number: number;
  task_id: string;
  url: string;
  tag: string;
  application: string;
  content_length: number;
  started_at: number;
  ended_at: number;
  downloads: number;
  failures: number;
  origin_bytes: number;
  peer_bytes: number;
  last_node: string;
  /** Duration in milliseconds of the slowest download; beside it that of the median one. */
  slowest: number;
  median: number;
}

/** How the pieces of a distribution moved. */
export interface RecordingTable {
  id: Generated<number>;
  distribution_id: number;
  /** The scheduler's message, compressed, in base 64. */
  content: string;
}

/** One download of one node. */
export interface NodeDownloadTable {
  id: Generated<number>;
  scheduler_cluster_id: number;
  /** Address and start time of the reporting scheduler. */
  scheduler: string;
  /** Sequence number at that scheduler. */
  number: number;
  host_id: string;
  task_id: string;
  url: string;
  tag: string;
  application: string;
  content_length: number;
  started_at: number;
  ended_at: number;
  /** 0 or 1. */
  succeeded: number;
  origin_bytes: number;
  peer_bytes: number;
  /** JSON: the nodes that gave most of it, with their numbers of pieces. */
  sources: string;
}
