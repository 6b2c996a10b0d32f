import { text, type TableMaker } from './columns.ts';

/** The certificate by which another one was renewed: both go when it is revoked. */
export async function renewedFrom(make: TableMaker): Promise<void> {
  await make.add('certificate', text('renewed_from', 64), '');
}
