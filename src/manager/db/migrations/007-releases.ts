import { integer, long, text, type TableMaker } from './columns.ts';

/** Named versions of directories, and which subscriber has which. */
export async function releases(make: TableMaker): Promise<void> {
  await make.create('release', [
    text('name', 128),
    text('version', 64),
    text('content_digest', 80),
    text('manifest_task_id', 64),
    text('manifest_digest', 80),
    integer('content_length'),
    integer('new_length'),
    integer('file_count'),
    integer('replicas'),
    long('task_ids'),
    text('publisher', 512),
    text('public_key', 64),
    text('signature', 128),
    integer('expires_at'),
  ]);
  await make.unique('release', ['name', 'version']);
  await make.index('release', ['expires_at']);
  await make.create('release_subscriber', [
    text('name', 128),
    text('target', 64),
    text('host_id', 512),
    long('path'),
    text('version', 64),
    text('state', 16),
    long('error'),
  ]);
  await make.unique('release_subscriber', ['name', 'target']);
  await make.index('release_subscriber', ['updated_at']);
}
