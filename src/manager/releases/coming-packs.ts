/**
 * Content of versions that are being published. Subscribers fetch it while the publisher still waits for replicas, so that little is left to come when the
 * version counts. It is a hint and no more: what is lost of it, is fetched later.
 */
import type { Selectable } from 'kysely';
import { LRUCache } from 'lru-cache';
import { onAbort } from '../../core/process/lifecycle.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import type { ComingPackTable } from '../db/schema.ts';
import { comingPackMs, maxComingPacks, maxComingPacksOfHost, maxPacksWaiting, maxReleaseStreams } from '../limits.ts';

export type ComingPackRow = Selectable<ComingPackTable>;
export type NewComingPack = Omit<ComingPackRow, 'id' | 'created_at' | 'updated_at'>;

type Listener = (pack: ComingPackRow) => void;

export class ComingPacks {
  readonly #database: Database;
  readonly #changes: ChangeFeed;
  readonly #logger: Logger;
  readonly #byName = new Map<string, Set<Listener>>();
  #streams = 0;

  constructor(database: Database, changes: ChangeFeed, logger: Logger) {
    this.#database = database;
    this.#changes = changes;
    this.#logger = logger;
    changes.subscribe(({ topic, entityId }) => {
      if (topic === 'coming_pack' && this.#byName.size > 0) void this.#tell(entityId);
    });
  }

  /** The same once more changes nothing. Throws RESOURCE_EXHAUSTED. */
  async announce(pack: NewComingPack): Promise<void> {
    const now = await this.#database.nowMs();
    const { db } = this.#database;
    if (await this.#isKnown(pack)) return;
    await this.prune();
    const all = db.selectFrom('coming_pack').select((e) => e.fn.countAll().as('count'));
    const inAll = await all.executeTakeFirstOrThrow();
    const ofHost = await all.where('host_id', '=', pack.host_id).executeTakeFirstOrThrow();
    if (Number(inAll.count) >= maxComingPacks || Number(ofHost.count) >= maxComingPacksOfHost)
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too much content of coming versions is announced already');
    try {
      await this.#changes.writeNew('coming_pack', (transaction) =>
        this.#database.insert('coming_pack', { ...pack, created_at: now, updated_at: now }, transaction),
      );
    } catch (error) {
      if (!(await this.#isKnown(pack))) throw error; // the same was announced in the same moment
    }
  }

  /** What was announced lately of the name, then what comes; of more than a subscriber takes the latest. */
  async *watch(name: string, ended: AbortSignal): AsyncGenerator<ComingPackRow, void, undefined> {
    if (this.#streams >= maxReleaseStreams)
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many subscribers watch this manager');
    this.#streams += 1;
    const waiting = new Map<number, ComingPackRow>();
    const told = new LRUCache<number, true>({ max: maxPacksWaiting });
    let wake = (): void => undefined;
    const heard = (pack: ComingPackRow): void => {
      if (told.has(pack.id)) return;
      waiting.set(pack.id, pack);
      const [oldest] = waiting.keys();
      if (waiting.size > maxPacksWaiting && oldest !== undefined) waiting.delete(oldest);
      wake();
    };
    const listeners = this.#byName.get(name) ?? new Set<Listener>();
    this.#byName.set(name, listeners);
    listeners.add(heard);
    try {
      using _listening = onAbort(ended, () => wake());
      for (const pack of await this.#recent(name)) heard(pack);
      while (!ended.aborted) {
        const [next] = waiting.values();
        if (next) {
          waiting.delete(next.id);
          told.set(next.id, true);
          yield next;
        } else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#streams -= 1;
      listeners.delete(heard);
      if (listeners.size === 0 && this.#byName.get(name) === listeners) this.#byName.delete(name);
    }
  }

  async prune(): Promise<void> {
    const before = (await this.#database.nowMs()) - comingPackMs;
    await this.#database.db.deleteFrom('coming_pack').where('created_at', '<', before).execute();
  }

  async #isKnown({ name, version, task_id: taskId }: NewComingPack): Promise<boolean> {
    const known = await this.#database.db
      .selectFrom('coming_pack')
      .select('id')
      .where('name', '=', name)
      .where('version', '=', version)
      .where('task_id', '=', taskId)
      .executeTakeFirst();
    return known !== undefined;
  }

  /** Of versions that do not count yet: what belongs to others is fetched with them. */
  async #recent(name: string): Promise<ComingPackRow[]> {
    const rows = await this.#database.db
      .selectFrom('coming_pack')
      .selectAll()
      .where('name', '=', name)
      .where('created_at', '>=', (await this.#database.nowMs()) - comingPackMs)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('release')
              .select('release.id')
              .where('release.name', '=', name)
              .whereRef('release.version', '=', 'coming_pack.version'),
          ),
        ),
      )
      .orderBy('id', 'desc')
      .limit(maxPacksWaiting)
      .execute();
    return rows.reverse();
  }

  async #tell(id: number): Promise<void> {
    try {
      const pack = await this.#database.db
        .selectFrom('coming_pack')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      for (const listener of (pack && this.#byName.get(pack.name)) ?? []) listener(pack as ComingPackRow);
    } catch (error) {
      this.#logger.warn({ id, error: toDragonflyError(error).message }, 'subscribers could not be told what is coming');
    }
  }
}
