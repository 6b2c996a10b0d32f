/** Tables of replication: rules, the tags they cover, and what each cluster has of those. */
import type { Generated } from 'kysely';

interface Row {
  id: Generated<number>;
  created_at: number;
  updated_at: number;
}

type Flag = 0 | 1;

export interface ReplicationRuleTable extends Row {
  name: string;
  bio: string;
  source: string;
  /** JSON: patterns, one of which a tag has to match. */
  tags: string;
  /** JSON: all clusters when empty. */
  cluster_ids: string;
  /** 0 for a rule that pushes to its target alone. */
  to_clusters: Flag;
  /** A registry, and a place in it; empty for none. */
  target: string;
  sealed_target_login: string;
  platform: string;
  scope: string;
  on_push: Flag;
  /** 0 for a rule without a schedule. */
  interval_ms: number;
  /** Per cluster; 0 without a bound. */
  rate_bytes_per_sec: number;
  concurrency: number;
  enabled: Flag;
  sealed_login: string;
  secret_hash: string;
  user_id: number;
  /** When somebody wished last that the tags are listed, and when they were. */
  asked_at: number;
  listed_at: number;
  /** Lists in a row that failed. */
  attempt: number;
  retry_at: number;
  error: string;
}

export interface ReplicationTagTable extends Row {
  rule_id: number;
  repository: string;
  tag: string;
  /** What the source said last. */
  digest: string;
  /** `look` until the source has been asked, then `known`. */
  state: string;
  attempt: number;
  retry_at: number;
  error: string;
}

export interface ReplicationCopyTable extends Row {
  rule_id: number;
  tag_id: number;
  /** 0 for the target. */
  cluster_id: number;
  /** What the cluster has proven last. */
  digest: string;
  bytes: number;
  /** `waiting`, `running`, `proven`, or `copied` where a node cannot prove what it has. */
  state: string;
  job_id: number;
  /** Tries in a row that failed. */
  attempt: number;
  retry_at: number;
  started_at: number;
  ended_at: number;
  proven_at: number;
  error: string;
}
