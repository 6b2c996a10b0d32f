/** Recognises another program's database before the first statement that would change it. */
import { sql, type Kysely } from 'kysely';
import { DragonflyError } from '../../core/errors.ts';
import type { EngineName } from './engine.ts';

/** These are created before any other of our tables. */
const migrationTables = ['dragonfly_migration', 'dragonfly_migration_lock'];

/** Throws FAILED_PRECONDITION with a hint when the tables are not ours. An empty database counts as ours. */
export async function requireOwnSchema<T>(db: Kysely<T>, engine: EngineName): Promise<void> {
  if (await isOriginal(db, engine)) {
    throw new DragonflyError('FAILED_PRECONDITION', 'this database belongs to a manager of the original Dragonfly', {
      hint: 'Configure an empty database, then run "dragonfly manager --config FILE import ORIGINAL", where ORIGINAL is the manager.yaml of the original. Nothing is changed there.',
    });
  }
  const names = (await tablesOf(db, engine)).map(({ name }) => name);
  if (names.length === 0 || names.some((name) => migrationTables.includes(name))) return;
  throw new DragonflyError(
    'FAILED_PRECONDITION',
    `this database holds tables of another program: ${names.slice(0, 5).join(', ')}`,
    { hint: 'Configure an empty database.' },
  );
}

/** Each table of the original has a soft-deletion flag; none of ours does. */
export async function isOriginal<T>(db: Kysely<T>, engine: EngineName): Promise<boolean> {
  const clusters = (await tablesOf(db, engine)).find(({ name }) => name === 'scheduler_cluster');
  return clusters?.columns.some(({ name }) => name === 'is_del') === true;
}

async function tablesOf<T>(db: Kysely<T>, engine: EngineName) {
  const tables = (await db.introspection.getTables()).filter(({ isView }) => !isView);
  if (engine !== 'postgres') return tables;
  const { rows } = await sql<{ name: string }>`select current_schema() as name`.execute(db);
  return tables.filter(({ schema }) => schema === rows[0]?.name);
}
