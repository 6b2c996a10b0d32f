import { text, type TableMaker } from './columns.ts';

/** Existing tokens allowed every role. */
export async function joinTokenRole(make: TableMaker): Promise<void> {
  await make.add('join_token', text('role', 20), 'any');
}
