import { integer, long, text, type TableMaker } from './columns.ts';

/** The last downloads of each node, with their sources. */
export async function downloads(make: TableMaker): Promise<void> {
  await make.create(
    'node_download',
    [
      integer('scheduler_cluster_id'),
      text('scheduler', 64),
      integer('number'),
      text('host_id', 512),
      text('task_id', 64),
      text('url', 2048),
      text('tag'),
      text('application'),
      integer('content_length'),
      integer('started_at'),
      integer('ended_at'),
      integer('succeeded'),
      integer('origin_bytes'),
      integer('peer_bytes'),
      long('sources'),
    ],
    { stamped: false },
  );
  await make.unique('node_download', ['scheduler', 'number']);
  await make.index('node_download', ['host_id', 'ended_at']);
  await make.index('node_download', ['ended_at']);
}
