import { integer, long, text, type TableMaker } from './columns.ts';

/** Traffic of applications, tags, zones, nodes and origins by hour and day; results of distributions; notices sent about concerns. */
export async function history(make: TableMaker): Promise<void> {
  await make.create(
    'traffic_share',
    [
      integer('scheduler_cluster_id'),
      text('kind', 16),
      text('span', 8),
      integer('at'),
      text('name'),
      integer('origin_bytes'),
      integer('peer_bytes'),
      integer('given_bytes'),
      integer('downloads'),
      integer('failures'),
    ],
    { stamped: false },
  );
  await make.unique('traffic_share', ['kind', 'span', 'at', 'scheduler_cluster_id', 'name']);
  await make.create(
    'distribution',
    [
      integer('scheduler_cluster_id'),
      text('scheduler', 64),
      integer('number'),
      text('task_id', 64),
      text('url', 2048),
      text('tag'),
      text('application'),
      integer('content_length'),
      integer('started_at'),
      integer('ended_at'),
      integer('downloads'),
      integer('failures'),
      integer('origin_bytes'),
      integer('peer_bytes'),
      text('last_node'),
      integer('slowest'),
      integer('median'),
    ],
    { stamped: false },
  );
  await make.unique('distribution', ['scheduler', 'number']);
  await make.index('distribution', ['ended_at']);
  await make.create('notice', [text('url', 512), text('concern', 64), long('record')]);
  await make.unique('notice', ['url', 'concern']);
}
