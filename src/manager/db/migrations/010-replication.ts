import { integer, long, text, type TableMaker } from './columns.ts';

/** Replication rules, the tags they cover, and the state of each cluster. */
export async function replication(make: TableMaker): Promise<void> {
  await make.create('replication_rule', [
    text('name', 128),
    text('bio', 1024),
    text('source', 512),
    long('tags'),
    long('cluster_ids'),
    text('platform', 100),
    text('scope', 32),
    integer('on_push'),
    integer('interval_ms'),
    integer('rate_bytes_per_sec'),
    integer('concurrency'),
    integer('enabled', 1),
    long('sealed_login'),
    text('secret_hash', 128),
    integer('user_id'),
    integer('asked_at'),
    integer('listed_at'),
    integer('attempt'),
    integer('retry_at'),
    long('error'),
  ]);
  await make.unique('replication_rule', ['name']);
  await make.create('replication_tag', [
    integer('rule_id'),
    text('repository', 255),
    text('tag', 128),
    text('digest', 160),
    text('state', 16),
    integer('attempt'),
    integer('retry_at'),
    long('error'),
  ]);
  await make.unique('replication_tag', ['rule_id', 'repository', 'tag']);
  await make.index('replication_tag', ['rule_id', 'state']);
  await make.create('replication_copy', [
    integer('rule_id'),
    integer('tag_id'),
    integer('cluster_id'),
    text('digest', 160),
    integer('bytes'),
    text('state', 16),
    integer('job_id'),
    integer('attempt'),
    integer('retry_at'),
    integer('started_at'),
    integer('ended_at'),
    integer('proven_at'),
    long('error'),
  ]);
  await make.unique('replication_copy', ['tag_id', 'cluster_id']);
  await make.index('replication_copy', ['rule_id', 'state']);
  await make.index('replication_copy', ['rule_id', 'ended_at']);
}
