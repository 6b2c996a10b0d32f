/** Opens the database with the configured engine, and migrates its schema under a lock. */
import { dirname } from 'node:path';
import { Kysely, MysqlDialect, PostgresDialect, sql, type Dialect, type Transaction } from 'kysely';
import { Migrator } from 'kysely/migration';
import { DragonflyError } from '../../core/errors.ts';
import { makeDirectory } from '../../core/files/make-directory.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import { databaseEngine, type DatabaseConfig } from '../config.ts';
import { databaseNowMs, insertRow, type Db, type EngineName } from './engine.ts';
import { migrations } from './migrations/index.ts';
import { Checkpointer } from './checkpointer.ts';
import { TableMaker } from './migrations/columns.ts';
import { NodeSqliteDialect } from './node-sqlite.ts';
import type { Schema } from './schema.ts';
import { requireOwnSchema } from './foreign-schema.ts';
import { mysqlTls, postgresTls } from './tls.ts';

/** How long a server may take to accept a connection. */
const connectTimeoutMs = 10_000;

/** How long one statement may run on a server before it is cancelled. */
const statementTimeoutMs = 30_000;

/** SQLite's own default, applied on whichever connection writes. */
const defaultCheckpointPages = 1_000;

export class Database implements Closable {
  readonly engine: EngineName;
  readonly db: Kysely<Schema>;
  /** File of an embedded database. */
  readonly path: string | undefined;
  #checkpointer: Checkpointer | undefined;

  private constructor(engine: EngineName, db: Kysely<Schema>, path: string | undefined) {
    this.engine = engine;
    this.db = db;
    this.path = path;
  }

  /**
   * Throws UNAVAILABLE when the server cannot be reached, FAILED_PRECONDITION when the tables belong to another program
   * or a newer version. @param upTo name of a migration, to create the schema of that time for migration tests.
   */
  static async open(config: DatabaseConfig, { upTo }: { readonly upTo?: string } = {}): Promise<Database> {
    const engine = databaseEngine(config);
    const path = engine === 'sqlite' ? config.sqlite.path : undefined;
    if (path !== undefined && path !== ':memory:') makeDirectory(dirname(path), 0o700);
    const database = new Database(engine, new Kysely<Schema>({ dialect: await dialect(engine, config) }), path);
    try {
      await database.check();
      await requireOwnSchema(database.db, engine);
      const migrates = config[engine === 'sqlite' ? 'mysql' : engine]?.migrate !== false;
      if (migrates) await oneByOne(engine, () => database.#migrate(upTo));
      if (path !== undefined && path !== ':memory:') await database.#checkpointInThread(path);
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw error;
    }
    return database;
  }

  /** One round trip. Throws UNAVAILABLE. */
  async check(): Promise<void> {
    try {
      await sql`select 1`.execute(this.db);
    } catch (error) {
      throw new DragonflyError(
        'UNAVAILABLE',
        `the ${this.engine} database does not answer: ${(error as Error).message}`,
        {
          cause: error,
          hint: 'Check address, user and password in the database section, and that the server runs.',
        },
      );
    }
  }

  async nowMs(db: Db = this.db): Promise<number> {
    const { rows } = await sql<{ now: number }>`select ${databaseNowMs(this.engine)} as now`.execute(db);
    return Number(rows[0]?.now);
  }

  insert<T extends Parameters<typeof insertRow>[2]>(
    table: T,
    values: Parameters<typeof insertRow<T>>[3],
    db: Db = this.db,
  ): Promise<number> {
    return insertRow(db, this.engine, table, values);
  }

  /** All or nothing. A transaction that the server aborted because of a conflict is repeated, at most twice. */
  async transaction<T>(work: (transaction: Transaction<Schema>) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.db.transaction().execute(work);
      } catch (error) {
        if (attempt === 3 || !isConflict(error)) throw error;
      }
    }
  }

  async #migrate(upTo: string | undefined): Promise<void> {
    const steps = Object.entries(migrations).map(([name, step]) => [
      name,
      { up: (db: Kysely<unknown>) => step(new TableMaker(db, this.engine)) },
    ]);
    const migrator = new Migrator({
      db: this.db,
      provider: { getMigrations: () => Promise.resolve(Object.fromEntries(steps) as Record<string, never>) },
      migrationTableName: 'dragonfly_migration',
      migrationLockTableName: 'dragonfly_migration_lock',
    });
    const { error } = upTo === undefined ? await migrator.migrateToLatest() : await migrator.migrateTo(upTo);
    if (error === undefined) return;
    throw new DragonflyError(
      'FAILED_PRECONDITION',
      `the database schema could not be brought up to date: ${message(error)}`,
      {
        cause: error,
        hint: 'Use an empty database or one this version or an older one created; a newer schema is not taken back.',
      },
    );
  }

  async #checkpointInThread(path: string): Promise<void> {
    const checkpointAfter = (pages: number) => sql`pragma wal_autocheckpoint = ${sql.lit(pages)}`.execute(this.db);
    await checkpointAfter(0);
    this.#checkpointer = new Checkpointer(path, () => void checkpointAfter(defaultCheckpointPages));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#checkpointer?.[Symbol.asyncDispose]();
    await this.db.destroy();
  }
}

let migrating: Promise<unknown> = Promise.resolve();

/** SQLite blocks this thread while it waits for a lock, so two migrations of one file in one process would deadlock. */
function oneByOne(engine: EngineName, migrate: () => Promise<void>): Promise<void> {
  if (engine !== 'sqlite') return migrate();
  const turn = migrating.catch(() => undefined).then(migrate);
  migrating = turn;
  return turn;
}

/** How to connect to a database, whatever it contains. */
export async function dialect(engine: EngineName, config: DatabaseConfig): Promise<Dialect> {
  switch (engine) {
    case 'sqlite':
      return new NodeSqliteDialect(config.sqlite.path);
    case 'postgres': {
      const server = required(config.postgres, 'postgres');
      const { Pool, TypeOverrides } = (await import('pg')).default;
      const types = new TypeOverrides();
      types.setTypeParser(20, Number); // bigint: ids, times and lengths are all below 2^53
      const pool = new Pool({
        host: server.host,
        port: server.port,
        user: server.user,
        password: server.password,
        database: server.dbname,
        ssl: await postgresTls(server),
        max: config.poolSize,
        connectionTimeoutMillis: connectTimeoutMs,
        statement_timeout: statementTimeoutMs,
        keepAlive: true,
        types,
      });
      // A broken connection fails its current statement and is replaced by the pool. Without a listener, its error would end the
      // process; the pool reports errors of idle connections, one in use reports its own.
      pool.on('error', () => undefined);
      pool.on('connect', (connection) => connection.on('error', () => undefined));
      return new PostgresDialect({ pool });
    }
    case 'mysql': {
      const server = required(config.mysql, 'mysql');
      const tls = await mysqlTls(server);
      const { createPool } = await import('mysql2');
      const pool = createPool({
        host: server.host,
        port: server.port,
        user: server.user,
        password: server.password,
        database: server.dbname,
        ...(tls === undefined ? {} : { ssl: tls }),
        connectionLimit: config.poolSize,
        connectTimeout: connectTimeoutMs,
        enableKeepAlive: true,
        // Affected rows count rows that matched, as the other engines do, so that "nothing to update" means "not found".
        flags: ['FOUND_ROWS'],
        charset: 'utf8mb4_bin',
      });
      pool.on('connection', (connection) => connection.on('error', () => undefined));
      return new MysqlDialect({ pool });
    }
  }
}

function required<T>(value: T | undefined, name: string): T {
  if (value !== undefined) return value;
  throw new DragonflyError('CONFIG_INVALID', `database.type asks for ${name}, but database.${name} is missing`);
}

/** Serialization failure or deadlock, by engine. */
function isConflict(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === '40001' || code === '40P01' || code === 'ER_LOCK_DEADLOCK' || code === 'ER_CHECKREAD';
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : JSON.stringify(error);
}
