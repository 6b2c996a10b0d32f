import { text, type TableMaker } from './columns.ts';

/** The host that published a version, for the limit per host. */
export async function releaseHost(make: TableMaker): Promise<void> {
  await make.add('release', text('host_id', 512), '');
}
