/** Embedded SQLite: Kysely's SQLite dialect over `node:sqlite`. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SqliteAdapter, SqliteDialect, type DialectAdapter, type SqliteDatabase, type SqliteStatement } from 'kysely';
import { LRUCache } from 'lru-cache';

/** Compiled statements kept: the manager has a few hundred distinct ones, counting variants of lists with optional filters. */
const maxStatements = 500;

/** How long to wait for a lock of another process; short, because the wait blocks this process. */
const busyTimeoutMs = 5_000;

export class NodeSqliteDialect extends SqliteDialect {
  /** @param path file, created if missing, or `:memory:`. */
  constructor(path: string) {
    super({ database: openSqlite(path) });
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalDdlAdapter();
  }
}

/** SQLite rolls DDL back, so a failed migration leaves nothing behind. */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

export function openSqlite(path: string): SqliteDatabase {
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
  database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma journal_size_limit = 134217728');
  const statements = new LRUCache<string, SqliteStatement>({ max: maxStatements });
  return {
    prepare: (text) => {
      // A transaction that reads first and writes later would fail if another process wrote in between; taking the write lock at
      // the start makes it wait instead.
      const sql = text === 'begin' ? 'begin immediate' : text;
      const known = statements.get(sql);
      if (known) return known;
      const statement = adapt(database.prepare(sql));
      statements.set(sql, statement);
      return statement;
    },
    close: () => {
      statements.clear();
      database.close();
    },
  };
}

function adapt(statement: StatementSync): SqliteStatement {
  const values = (parameters: readonly unknown[]): SQLInputValue[] => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...values(parameters)),
    run: (parameters) => statement.run(...values(parameters)),
    iterate: (parameters) => statement.iterate(...values(parameters)),
  };
}
