import { integer, text, type TableMaker } from './columns.ts';

/** Rules may name a registry to which tags are pushed, beside clusters or without any. */
export async function replicationTargets(make: TableMaker): Promise<void> {
  await make.add('replication_rule', integer('to_clusters', 1), 1);
  await make.add('replication_rule', text('target', 512), '');
  await make.add('replication_rule', text('sealed_target_login', 8192), '');
}
