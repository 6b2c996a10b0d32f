import { text, type TableMaker } from './columns.ts';

/** Whose node brought a version: it counts for what one host may bring. */
export async function releaseHost(make: TableMaker): Promise<void> {
  await make.add('release', text('host_id', 512), '');
}
