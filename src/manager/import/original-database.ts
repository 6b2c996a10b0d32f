/** Reads the database of an original manager; never writes to it. */
import { Kysely } from 'kysely';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import { databaseEngine, type DatabaseConfig } from '../config.ts';
import { dialect } from '../db/database.ts';
import { isOriginal } from '../db/foreign-schema.ts';
import type { OriginalRow } from './original-rows.ts';

/** Rows per page: a fleet's peers and years of jobs do not fit into memory. */
const pageRows = 1_000;

type AnyTables = Record<string, { id: number } & Record<string, unknown>>;

export class OriginalDatabase implements Closable {
  readonly #db: Kysely<AnyTables>;

  /** Throws UNAVAILABLE when it cannot be reached, FAILED_PRECONDITION when it does not belong to the original. */
  static async open(config: DatabaseConfig): Promise<OriginalDatabase> {
    const engine = databaseEngine(config);
    if (engine === 'sqlite') {
      throw new DragonflyError('INVALID_ARGUMENT', 'the configuration to import from names no database server', {
        hint: 'Name the manager.yaml of the original, with its database.mysql or database.postgres.',
      });
    }
    const db = new Kysely<AnyTables>({ dialect: await dialect(engine, config) });
    try {
      if (await isOriginal(db, engine)) return new OriginalDatabase(db);
    } catch (cause) {
      await db.destroy();
      throw new DragonflyError(
        'UNAVAILABLE',
        `the original's ${engine} cannot be read: ${toDragonflyError(cause).message}`,
        {
          cause,
          hint: 'Check address, user and password in its configuration, and that the server runs.',
        },
      );
    }
    await db.destroy();
    throw new DragonflyError('FAILED_PRECONDITION', 'the database to import from is not one of the original manager', {
      hint: 'Check database.mysql.dbname, or database.postgres.dbname.',
    });
  }

  private constructor(db: Kysely<AnyTables>) {
    this.#db = db;
  }

  async count(table: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom(table)
      .select((e) => e.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** All rows of a table, in pages ordered by these columns, which together form a unique key. */
  async *pages(table: string, key: readonly string[] = ['id']): AsyncGenerator<readonly OriginalRow[]> {
    for (let offset = 0; ; offset += pageRows) {
      let query = this.#db.selectFrom(table).selectAll().limit(pageRows).offset(offset);
      for (const column of key) query = query.orderBy(column);
      const rows = await query.execute();
      if (rows.length > 0) yield rows;
      if (rows.length < pageRows) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.destroy();
  }
}
