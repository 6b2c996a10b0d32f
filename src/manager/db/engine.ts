/** The three engines and the few expressions in which their SQL differs. */
import { sql, type Insertable, type Kysely, type RawBuilder, type Transaction } from 'kysely';
import { DragonflyError } from '../../core/errors.ts';
import type { Schema } from './schema.ts';

export type EngineName = 'sqlite' | 'postgres' | 'mysql';

export type Db = Kysely<Schema> | Transaction<Schema>;

/** The database's clock, which all replicas share, in milliseconds since 1970. */
export function databaseNowMs(engine: EngineName): RawBuilder<number> {
  switch (engine) {
    case 'sqlite':
      return sql<number>`cast(unixepoch('subsec') * 1000 as integer)`;
    case 'postgres':
      return sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`;
    case 'mysql':
      return sql<number>`cast(unix_timestamp(now(3)) * 1000 as signed)`;
  }
}

type TableWithId = {
  [T in keyof Schema]: Schema[T] extends { id: unknown } ? T : never;
}[keyof Schema];

/** Inserts one row and returns its generated id. Throws ALREADY_EXISTS when a unique key is taken. */
export async function insertRow<T extends TableWithId>(
  db: Db,
  engine: EngineName,
  table: T,
  values: Insertable<Schema[T]>,
): Promise<number> {
  return uniqueOr(table, async () => {
    const insert = (db as Kysely<Record<string, { id: number }>>)
      .insertInto(table)
      .values(values as unknown as { id: number });
    if (engine === 'mysql') {
      const { insertId } = await insert.executeTakeFirstOrThrow();
      return Number(insertId);
    }
    const { id } = await insert.returning('id').executeTakeFirstOrThrow();
    return Number(id);
  });
}

/** Runs a write; a violated unique key becomes ALREADY_EXISTS with the name of what was written. */
export async function uniqueOr<T>(what: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new DragonflyError('ALREADY_EXISTS', `a ${what.replaceAll('_', ' ')} with this key already exists`, {
      cause: error,
    });
  }
}

export function isUniqueViolation(error: unknown): boolean {
  const { code, errcode } = error as { code?: string; errcode?: number };
  // SQLite extended codes 2067 (unique) and 1555 (primary key), PostgreSQL 23505, MySQL ER_DUP_ENTRY.
  return errcode === 2067 || errcode === 1555 || code === '23505' || code === 'ER_DUP_ENTRY';
}
