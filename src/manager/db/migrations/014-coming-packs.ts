import { text, type TableMaker } from './columns.ts';

/** Content of versions that are being published, for subscribers that fetch it early. */
export async function comingPacks(make: TableMaker): Promise<void> {
  await make.create('coming_pack', [
    text('name', 128),
    text('version', 64),
    text('task_id', 64),
    text('host_id', 512),
    text('public_key', 64),
    text('signature', 128),
  ]);
  await make.unique('coming_pack', ['name', 'version', 'task_id']);
  await make.index('coming_pack', ['created_at']);
}
