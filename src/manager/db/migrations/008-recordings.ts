import { integer, long, type TableMaker } from './columns.ts';

/** How the pieces of the last distributions moved. */
export async function recordings(make: TableMaker): Promise<void> {
  await make.create('recording', [integer('distribution_id'), long('content')], { stamped: false });
  await make.unique('recording', ['distribution_id']);
}
