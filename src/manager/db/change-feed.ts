/**
 * How replicas learn of changes. Every write that others must notice adds a row to `change` in its own transaction;
 * each replica reads new rows once a second, and immediately after its own writes, and notifies its subscribers.
 *
 * Ids are assigned before transactions commit, so a lower id may appear after a higher one. Skipped ids are queried
 * again until they appear, or their transaction must have ended.
 */
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { changePollMs, changePollRows, changeRetentionMs } from '../limits.ts';
import type { Database } from './database.ts';
import { databaseNowMs, type Db } from './engine.ts';

export type ChangeTopic =
  | 'cluster'
  | 'scheduler'
  | 'seed_peer'
  | 'peer'
  | 'application'
  | 'config'
  | 'job'
  | 'user'
  | 'role'
  | 'session'
  | 'token'
  | 'oauth'
  | 'certificate'
  | 'concern'
  | 'release'
  | 'coming_pack'
  | 'replication';

export interface Change {
  readonly id: number;
  readonly topic: ChangeTopic;
  readonly entityId: number;
}

type Listener = (change: Change) => void;

/** A skipped id is given up after this time: no transaction lasts that long. */
const gapPatienceMs = 10_000;
const maxGaps = 1_000;

export class ChangeFeed implements Closable {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #listeners = new Set<Listener>();
  /** Skipped id → when it was first missed. */
  readonly #gaps = new Map<number, number>();
  #lastId = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #closed = false;

  private constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  /** Starts with changes from now on. */
  static async create(database: Database, logger: Logger): Promise<ChangeFeed> {
    const feed = new ChangeFeed(database, logger);
    const last = await database.db
      .selectFrom('change')
      .select((e) => e.fn.max('id').as('id'))
      .executeTakeFirst();
    feed.#lastId = Number(last?.id ?? 0);
    feed.#schedule();
    return feed;
  }

  /** Highest change seen. */
  get revision(): number {
    return this.#lastId;
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Adds a change to the caller's transaction. Call `poke` after the commit. */
  async record(db: Db, topic: ChangeTopic, entityId: number): Promise<void> {
    await db
      .insertInto('change')
      .values({ topic, entity_id: entityId, origin: '', created_at: databaseNowMs(this.#database.engine) })
      .execute();
  }

  /** Runs a transaction with one change in it. */
  async write<T>(topic: ChangeTopic, entityId: number, work: (db: Db) => Promise<T>): Promise<T> {
    return this.#write(topic, work, () => entityId);
  }

  /** The same for work that returns the id of what it wrote. */
  async writeNew(topic: ChangeTopic, work: (db: Db) => Promise<number>): Promise<number> {
    return this.#write(topic, work, (id) => id);
  }

  /** Reads new changes now. Resolves when subscribers have been notified. */
  async poke(): Promise<void> {
    if (this.#closed) return;
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#drain();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Deletes rows that all replicas have read. */
  async prune(): Promise<void> {
    const before = (await this.#database.nowMs()) - changeRetentionMs;
    await this.#database.db.deleteFrom('change').where('created_at', '<', before).execute();
  }

  async #write<T>(topic: ChangeTopic, work: (db: Db) => Promise<T>, entityId: (result: T) => number): Promise<T> {
    const result = await this.#database.transaction(async (transaction) => {
      const written = await work(transaction);
      await this.record(transaction, topic, entityId(written));
      return written;
    });
    await this.poke();
    return result;
  }

  async #drain(): Promise<void> {
    do {
      this.#again = false;
      try {
        while ((await this.#read()) === changePollRows && !this.#closed);
      } catch (error) {
        this.#logger.warn({ error: (error as Error).message }, 'changes of other replicas could not be read');
      }
    } while (this.#again && !this.#closed);
  }

  async #read(): Promise<number> {
    const gaps = [...this.#gaps.keys()];
    const rows = await this.#database.db
      .selectFrom('change')
      .select(['id', 'topic', 'entity_id'])
      .where((e) =>
        gaps.length === 0 ? e('id', '>', this.#lastId) : e.or([e('id', '>', this.#lastId), e('id', 'in', gaps)]),
      )
      .orderBy('id')
      .limit(changePollRows)
      .execute();
    const nowMs = performance.now();
    for (const row of rows) {
      for (let id = this.#lastId + 1; id < row.id && this.#gaps.size < maxGaps; id += 1) this.#gaps.set(id, nowMs);
      this.#gaps.delete(row.id);
      this.#lastId = Math.max(this.#lastId, row.id);
      const change: Change = { id: row.id, topic: row.topic as ChangeTopic, entityId: row.entity_id };
      for (const listener of this.#listeners) listener(change);
    }
    for (const [id, sinceMs] of this.#gaps) if (nowMs - sinceMs > gapPatienceMs) this.#gaps.delete(id);
    return rows.length;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      void this.poke().then(() => {
        if (!this.#closed) this.#schedule();
      });
    }, changePollMs);
    this.#timer.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }
}
