import { integer, long, text, type TableMaker } from './columns.ts';

/** The known state of every node, and acknowledged concerns. */
export async function nodes(make: TableMaker): Promise<void> {
  await make.create('node', [
    integer('scheduler_cluster_id'),
    text('host_id', 512),
    text('state', 16),
    integer('since'),
    long('record'),
  ]);
  await make.unique('node', ['scheduler_cluster_id', 'host_id']);
  await make.create('acknowledgement', [text('concern', 64), integer('since'), text('user_name')]);
  await make.unique('acknowledgement', ['concern']);
}
