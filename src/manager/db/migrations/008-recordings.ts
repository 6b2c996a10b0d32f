import { integer, long, type TableMaker } from './columns.ts';

/** Recorded piece movements of the last distributions. */
export async function recordings(make: TableMaker): Promise<void> {
  await make.create('recording', [integer('distribution_id'), long('content')], { stamped: false });
  await make.unique('recording', ['distribution_id']);
}
