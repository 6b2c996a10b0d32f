/** Concerns as they appear and disappear, and who takes care of them. */
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { concernFactsMs, concernGatherMs, concernOverMs, maxConcerns } from '../limits.ts';
import { ConcernFinder, type Concern, type Facts } from './concerns.ts';
import type { Nodes } from './nodes.ts';

export interface ConcernDeskOptions {
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly nodes: Nodes;
  readonly logger: Logger;
}

interface Acknowledgement {
  readonly userName: string;
  readonly sinceMs: number;
  readonly atMs: number;
}

/** What the database tells. */
interface Stored extends Omit<Facts, 'nodes'> {
  readonly readAtMs: number;
  readonly acknowledged: ReadonlyMap<string, Acknowledgement>;
}

export class ConcernDesk implements Closable {
  readonly #options: ConcernDeskOptions;
  readonly #finder = new ConcernFinder();
  readonly #listeners = new Set<() => void>();
  /** Acknowledged concerns that are over, and since when. */
  readonly #over = new Map<string, number>();
  readonly #stops: (() => void)[];
  #concerns: readonly Concern[] = [];
  #stored: Stored | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: ConcernDeskOptions) {
    this.#options = options;
    const { nodes, changes } = options;
    const soon = (): void => this.#lookSoon();
    this.#stops = [
      nodes.subscribe(soon, soon),
      changes.subscribe(({ topic }) => {
        if (topic !== 'scheduler' && topic !== 'certificate' && topic !== 'concern') return;
        this.#stored = undefined;
        soon();
      }),
    ];
  }

  get list(): readonly Concern[] {
    return this.#concerns;
  }

  /** Called when the set of concerns changes. The returned function unsubscribes. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Marks that somebody takes care of these concerns, or no longer does. Unknown ids are ignored. */
  async acknowledge(ids: readonly string[], { userName, on }: { userName: string; on: boolean }): Promise<void> {
    const { changes } = this.#options;
    const meant = this.#concerns.filter(({ id }) => ids.includes(id));
    if (meant.length === 0) return;
    const concerns = meant.map(({ id }) => id);
    const now = Date.now();
    await changes.write('concern', 0, async (db) => {
      await db.deleteFrom('acknowledgement').where('concern', 'in', concerns).execute();
      if (!on) return;
      const rows = meant.map(({ id, since_ms: since }) => ({
        concern: id,
        since,
        user_name: userName,
        created_at: now,
        updated_at: now,
      }));
      await db.insertInto('acknowledgement').values(rows).execute();
    });
    this.#stored = undefined;
    await this.#look();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #lookSoon(): void {
    if (this.#timer || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#look();
    }, concernGatherMs);
    this.#timer.unref();
  }

  /** Never throws. A call during a running check gets the result of a later one. */
  async #look(): Promise<void> {
    this.#again = true;
    this.#looking ??= this.#lookWhileAsked().finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  async #lookWhileAsked(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        await this.#lookOnce();
      } catch (error) {
        this.#options.logger.warn({ error: toDragonflyError(error).message }, 'concerns could not be looked for');
      }
    }
  }

  async #lookOnce(): Promise<void> {
    const { acknowledged, ...facts } = await this.#storedFacts();
    const nowMs = Date.now();
    const found = this.#finder.find({ ...facts, nodes: this.#options.nodes.list() }, nowMs).slice(0, maxConcerns);
    const concerns = found.map((concern) => {
      const known = acknowledged.get(concern.id);
      // A node that was lost again is a new concern, not the acknowledged one.
      const counts = known !== undefined && (known.sinceMs === concern.since_ms || !hasOwnSince(concern));
      return counts ? { ...concern, acknowledged_by: known.userName, acknowledged_at_ms: known.atMs } : concern;
    });
    await this.#forgetOver(acknowledged, new Set(concerns.map(({ id }) => id)), nowMs);
    const before = JSON.stringify(this.#concerns);
    this.#concerns = concerns;
    if (JSON.stringify(concerns) !== before) for (const listener of this.#listeners) listener();
  }

  async #storedFacts(): Promise<Stored> {
    const known = this.#stored;
    if (known && performance.now() - known.readAtMs < concernFactsMs) return known;
    const stored = await this.#readFacts();
    this.#stored = stored;
    return stored;
  }

  async #readFacts(): Promise<Stored> {
    const readAtMs = performance.now();
    const { db } = this.#options.database;
    const schedulers = await db
      .selectFrom('scheduler')
      .select(['host_name', 'scheduler_cluster_id', 'state', 'updated_at'])
      .execute();
    const certificates = await db
      .selectFrom('certificate')
      .select((e) => ['subject', e.fn.max('created_at').as('created_at'), e.fn.max('expires_at').as('expires_at')])
      .where('revoked_at', '=', 0)
      .groupBy('subject')
      .execute();
    const rows = await db.selectFrom('acknowledgement').selectAll().execute();
    return {
      readAtMs,
      acknowledged: new Map(
        rows.map((row) => [row.concern, { userName: row.user_name, sinceMs: row.since, atMs: row.created_at }]),
      ),
      schedulers: schedulers.map((row) => ({
        clusterId: row.scheduler_cluster_id,
        name: row.host_name,
        active: row.state === 'active',
        sinceMs: row.updated_at,
      })),
      certificates: certificates.map((row) => ({
        subject: row.subject,
        createdAtMs: Number(row.created_at),
        expiresAtMs: Number(row.expires_at),
      })),
    };
  }

  async #forgetOver(
    acknowledged: ReadonlyMap<string, Acknowledgement>,
    present: ReadonlySet<string>,
    nowMs: number,
  ): Promise<void> {
    for (const id of this.#over.keys()) if (present.has(id) || !acknowledged.has(id)) this.#over.delete(id);
    for (const id of acknowledged.keys()) if (!present.has(id) && !this.#over.has(id)) this.#over.set(id, nowMs);
    const old = [...this.#over].filter(([, sinceMs]) => nowMs - sinceMs > concernOverMs).map(([id]) => id);
    if (old.length === 0) return;
    await this.#options.database.db.deleteFrom('acknowledgement').where('concern', 'in', old).execute();
  }
}

function hasOwnSince({ kind }: Concern): boolean {
  return kind === 'node-lost' || kind === 'node-silent' || kind === 'scheduler-inactive';
}
