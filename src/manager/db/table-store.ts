/** Create, read, update, delete and list for tables with self-contained rows. */
import { sql, type Insertable, type Kysely, type RawBuilder, type Selectable, type Updateable } from 'kysely';
import { DragonflyError } from '../../core/errors.ts';
import type { ChangeFeed, ChangeTopic } from './change-feed.ts';
import type { Database } from './database.ts';
import { uniqueOr, type Db } from './engine.ts';
import type { Schema } from './schema.ts';

export type ResourceTable = {
  [T in keyof Schema]: Schema[T] extends { id: unknown; created_at: unknown }
    ? T extends 'session'
      ? never
      : T
    : never;
}[keyof Schema];

export interface Page {
  readonly page: number;
  readonly perPage: number;
}

export interface PageOf<T> {
  readonly rows: T[];
  readonly total: number;
}

/** A text that one of the columns must contain, case-insensitively. */
export interface Search {
  readonly text: string;
  readonly columns: readonly string[];
}

type AnyTable = Record<string, { id: number; created_at: number } & Record<string, unknown>>;

export class TableStore<T extends ResourceTable> {
  readonly #database: Database;
  readonly #changes: ChangeFeed;
  readonly #table: T;
  /** The same name without its type, for statements that are alike for every table. */
  readonly #name: string;
  readonly #topic: ChangeTopic;

  constructor(database: Database, changes: ChangeFeed, table: T, topic: ChangeTopic) {
    this.#database = database;
    this.#changes = changes;
    this.#table = table;
    this.#name = table;
    this.#topic = topic;
  }

  /** Rows whose columns equal the filter's defined values, by ascending id unless `newestFirst`. */
  async list(
    filter: Readonly<Record<string, unknown>>,
    { page, perPage }: Page,
    { newestFirst = false, search }: { newestFirst?: boolean; search?: Search | undefined } = {},
  ): Promise<PageOf<Selectable<Schema[T]>>> {
    const db = this.#database.db as unknown as Kysely<AnyTable>;
    const wanted = Object.entries(filter).filter(([, value]) => value !== undefined);
    let query = db.selectFrom(this.#name);
    for (const [column, value] of wanted) query = query.where(column, '=', value);
    if (search) query = query.where(matches(search));
    const { total } = await query.select((e) => e.fn.countAll().as('total')).executeTakeFirstOrThrow();
    const rows = await query
      .selectAll()
      .orderBy('id', newestFirst ? 'desc' : 'asc')
      .limit(perPage)
      .offset((page - 1) * perPage)
      .execute();
    return { rows: rows as unknown as Selectable<Schema[T]>[], total: Number(total) };
  }

  /** Throws NOT_FOUND. */
  async get(id: number, db: Db = this.#database.db): Promise<Selectable<Schema[T]>> {
    const row = await (db as unknown as Kysely<AnyTable>)
      .selectFrom(this.#name)
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    if (row) return row as Selectable<Schema[T]>;
    throw new DragonflyError('NOT_FOUND', `there is no ${this.#table.replaceAll('_', ' ')} ${id}`);
  }

  /** Throws ALREADY_EXISTS. @returns the id. */
  async create(values: Omit<Insertable<Schema[T]>, 'id' | 'created_at' | 'updated_at'>): Promise<number> {
    const now = Date.now();
    const row = { ...values, created_at: now, updated_at: now };
    return this.#changes.writeNew(this.#topic, (db) => this.#database.insert(this.#table, row as never, db));
  }

  /** Sets the defined values. Throws NOT_FOUND, ALREADY_EXISTS. */
  async update(id: number, values: Updateable<Schema[T]>): Promise<void> {
    await this.#changes.write(this.#topic, id, async (db) => {
      await this.get(id, db);
      await uniqueOr(this.#table, () =>
        (db as unknown as Kysely<AnyTable>)
          .updateTable(this.#name)
          .set({ ...values, updated_at: Date.now() })
          .where('id', '=', id)
          .execute(),
      );
    });
  }

  /** @param also further writes in the same transaction. Throws NOT_FOUND. */
  async delete(id: number, also: (db: Db) => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.#changes.write(this.#topic, id, async (db) => {
      await this.get(id, db);
      await also(db);
      await (db as unknown as Kysely<AnyTable>).deleteFrom(this.#name).where('id', '=', id).execute();
    });
  }
}

export function matches({ text, columns }: Search): RawBuilder<boolean> {
  const pattern = `%${text.toLowerCase().replaceAll(/[!%_]/g, '!$&')}%`;
  const conditions = columns.map((column) => sql`lower(${sql.ref(column)}) like ${pattern} escape '!'`);
  return sql<boolean>`(${sql.join(conditions, sql` or `)})`;
}
