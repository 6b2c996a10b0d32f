/** Column types of migrations, per engine. Released migrations depend on this file: add to it, but never change it. */
import { sql, type CreateTableBuilder, type Kysely, type RawBuilder } from 'kysely';
import type { EngineName } from '../engine.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- a migration sees the tables of its day, not today's schema
export type AnyDb = Kysely<any>;

type Table = CreateTableBuilder<string, string>;

/** Builds tables with a common vocabulary: every column is NOT NULL, and has a default if a sensible one exists. */
export class TableMaker {
  readonly #db: AnyDb;
  readonly #engine: EngineName;

  constructor(db: AnyDb, engine: EngineName) {
    this.#db = db;
    this.#engine = engine;
  }

  /** A table with `id`, and with `created_at` and `updated_at` when stamped. */
  async create(name: string, columns: readonly Column[], { stamped = true, id = true } = {}): Promise<void> {
    // MySQL commits each statement of a migration; skipping what exists allows an interrupted one to be repeated.
    let table = this.#db.schema.createTable(name).ifNotExists() as unknown as Table;
    if (id) table = this.#addId(table);
    const all = stamped ? [integer('created_at'), integer('updated_at'), ...columns] : columns;
    for (const column of all) {
      table = table.addColumn(column.name, this.#type(column), (builder) => {
        const required = column.nullable ? builder : builder.notNull();
        return column.initial === undefined ? required : required.defaultTo(column.initial);
      });
    }
    if (this.#engine === 'mysql') table = table.modifyEnd(sql`character set utf8mb4 collate utf8mb4_bin`);
    await table.execute();
  }

  /** Adds a column to an existing table; existing rows get the value. */
  async add(table: string, column: Column, value: string | number): Promise<void> {
    if (await this.#columnExists(table, column.name)) return;
    await this.#db.schema
      .alterTable(table)
      .addColumn(column.name, this.#type(column), (builder) => builder.notNull().defaultTo(value))
      .execute();
  }

  async index(table: string, columns: readonly string[], { unique = false } = {}): Promise<void> {
    const name = `${unique ? 'uk' : 'idx'}_${table}_${columns.join('_')}`.slice(0, 60);
    if (await this.#indexExists(table, name)) return;
    const builder = this.#db.schema
      .createIndex(name)
      .on(table)
      .columns([...columns]);
    await (unique ? builder.unique() : builder).execute();
  }

  unique(table: string, columns: readonly string[]): Promise<void> {
    return this.index(table, columns, { unique: true });
  }

  /** Runs a data migration: a statement that every engine understands. */
  async run(statement: RawBuilder<unknown>): Promise<void> {
    await statement.execute(this.#db);
  }

  #addId(table: Table): Table {
    switch (this.#engine) {
      case 'sqlite':
        return table.addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement());
      case 'postgres':
        return table.addColumn('id', 'bigserial', (column) => column.primaryKey());
      case 'mysql':
        return table.addColumn('id', 'bigint', (column) => column.primaryKey().autoIncrement());
    }
  }

  #type(column: Column): RawBuilder<unknown> {
    if (column.kind === 'integer') return this.#engine === 'sqlite' ? sql`integer` : sql`bigint`;
    if (column.kind === 'text') return sql.raw(`varchar(${column.length})`);
    return this.#engine === 'mysql' ? sql`longtext` : sql`text`;
  }

  /** MySQL commits each statement of a migration, so an interrupted one is repeated. */
  async #columnExists(table: string, name: string): Promise<boolean> {
    if (this.#engine !== 'mysql') return false;
    const found = await sql`select 1 from information_schema.columns where table_schema = database()
      and table_name = ${table} and column_name = ${name} limit 1`.execute(this.#db);
    return found.rows.length > 0;
  }

  async #indexExists(table: string, name: string): Promise<boolean> {
    if (this.#engine !== 'mysql') return false;
    const found = await sql`select 1 from information_schema.statistics where table_schema = database()
      and table_name = ${table} and index_name = ${name} limit 1`.execute(this.#db);
    return found.rows.length > 0;
  }
}

interface Column {
  readonly name: string;
  readonly kind: 'integer' | 'text' | 'long';
  readonly length: number;
  readonly initial: string | number | undefined;
  readonly nullable: boolean;
}

export function integer(name: string, initial: number | undefined = 0): Column {
  return { name, kind: 'integer', length: 0, initial, nullable: false };
}

/** A short text, indexable, at most `length` characters. */
export function text(name: string, length = 255, { nullable = false } = {}): Column {
  return { name, kind: 'text', length, initial: nullable ? undefined : '', nullable };
}

/** A text of any length. MySQL allows no default for such columns, so writers always set them. */
export function long(name: string, { nullable = false } = {}): Column {
  return { name, kind: 'long', length: 0, initial: undefined, nullable };
}
