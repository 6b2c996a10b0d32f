import { integer, text, type TableMaker } from './columns.ts';

/** What nodes got and from where: by minute, hour and day, for each cluster. */
export async function traffic(make: TableMaker): Promise<void> {
  const key = ['scheduler_cluster_id', 'span', 'at'];
  await make.create(
    'traffic',
    [
      integer('scheduler_cluster_id'),
      text('span', 8),
      integer('at'),
      integer('origin_bytes'),
      integer('peer_bytes'),
      integer('downloads'),
    ],
    { stamped: false },
  );
  await make.unique('traffic', key);
}
