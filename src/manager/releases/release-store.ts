/** Published versions and their subscribers, in the database. */
import { createHash } from 'node:crypto';
import type { Selectable } from 'kysely';
import { DragonflyError } from '../../core/errors.ts';
import { parseJson } from '../clusters/types.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import type { Db } from '../db/engine.ts';
import type { ReleaseSubscriberTable, ReleaseTable } from '../db/schema.ts';
import type { Page, PageOf } from '../db/table-store.ts';
import {
  maxReleaseNames,
  maxReleaseNamesOfHost,
  maxReleaseSubscribers,
  maxReleaseVersions,
  maxSubscribersInAll,
  maxSubscribersOfHost,
  releaseSubscriberKeptMs,
} from '../limits.ts';

export type ReleaseRow = Selectable<ReleaseTable>;
export type SubscriberRow = Selectable<ReleaseSubscriberTable>;
export type NewRelease = Omit<ReleaseRow, 'id' | 'created_at' | 'updated_at' | 'task_ids'> & {
  readonly task_ids: readonly string[];
};

export interface SubscriberReport {
  readonly name: string;
  readonly hostId: string;
  readonly path: string;
  readonly version: string;
  readonly state: string;
  readonly error: string;
}

export interface ReleaseStanding {
  readonly is_newest: boolean;
  /** Of its name. */
  readonly version_count: number;
  /** The version published before it; empty for the first one. */
  readonly previous_version: string;
  /** An older version with the same files; empty if there is none. */
  readonly returns_to: string;
  /** Directories that follow the name, and those of them that have, are fetching, or failed to fetch this version. */
  readonly subscriber_count: number;
  readonly running_count: number;
  readonly fetching_count: number;
  readonly failed_count: number;
}

export class ReleaseStore {
  readonly #database: Database;
  readonly #changes: ChangeFeed;

  constructor(database: Database, changes: ChangeFeed) {
    this.#database = database;
    this.#changes = changes;
  }

  /**
   * Returns the existing row for the same content under the same version. Throws ALREADY_EXISTS for other content,
   * PERMISSION_DENIED when the name belongs to another key, RESOURCE_EXHAUSTED.
   */
  async add(release: NewRelease): Promise<ReleaseRow> {
    const known = await this.find(release.name, release.version);
    if (known) return requireSame(known, release);
    try {
      return await this.#insert(release);
    } catch (error) {
      // Another publisher may have been faster.
      const there = await this.find(release.name, release.version);
      if (there) return requireSame(there, release);
      throw error;
    }
  }

  async #insert(release: NewRelease): Promise<ReleaseRow> {
    const now = await this.#database.nowMs();
    const id = await this.#changes.writeNew('release', async (db) => {
      await this.#requireRoom(release, db);
      await this.requireKey(release, db);
      const row = { ...release, task_ids: JSON.stringify(release.task_ids), created_at: now, updated_at: now };
      return this.#database.insert('release', row, db);
    });
    return this.get(id);
  }

  /** Throws NOT_FOUND. */
  async get(id: number): Promise<ReleaseRow> {
    const row = await this.#database.db.selectFrom('release').selectAll().where('id', '=', id).executeTakeFirst();
    if (row) return row;
    throw new DragonflyError('NOT_FOUND', `there is no release ${id}`);
  }

  /** @param version undefined for the one published last. */
  async find(name: string, version: string | undefined): Promise<ReleaseRow | undefined> {
    let query = this.#database.db
      .selectFrom('release')
      .selectAll()
      .where('name', '=', name)
      .where('expires_at', '>', await this.#database.nowMs());
    if (version !== undefined) query = query.where('version', '=', version);
    return query.orderBy('id', 'desc').limit(1).executeTakeFirst();
  }

  /** Newest first. @param newest only the last version of each name. */
  async list(
    { name, newest = false }: { readonly name?: string | undefined; readonly newest?: boolean | undefined },
    { page, perPage }: Page,
  ): Promise<PageOf<ReleaseRow>> {
    const now = await this.#database.nowMs();
    let query = this.#database.db.selectFrom('release').where('expires_at', '>', now);
    if (name !== undefined) query = query.where('name', '=', name);
    if (newest)
      query = query.where('id', 'in', (db) =>
        db
          .selectFrom('release')
          .select((e) => e.fn.max('id').as('id'))
          .where('expires_at', '>', now)
          .groupBy('name'),
      );
    const { total } = await query.select((e) => e.fn.countAll().as('total')).executeTakeFirstOrThrow();
    const rows = await query
      .selectAll()
      .orderBy('id', 'desc')
      .limit(perPage)
      .offset((page - 1) * perPage)
      .execute();
    return { rows, total: Number(total) };
  }

  /** The state that follows from other versions and subscribers, in the order of the rows. */
  async standing(rows: readonly ReleaseRow[]): Promise<ReleaseStanding[]> {
    if (rows.length === 0) return [];
    const { db } = this.#database;
    const names = [...new Set(rows.map(({ name }) => name))];
    const versions = await db
      .selectFrom('release')
      .select(['id', 'name', 'version', 'content_digest'])
      .where('name', 'in', names)
      .where('expires_at', '>', await this.#database.nowMs())
      .orderBy('id')
      .execute();
    const subscribers = await db
      .selectFrom('release_subscriber')
      .select((e) => ['name', 'version', 'state', e.fn.countAll().as('count')])
      .where('name', 'in', names)
      .groupBy(['name', 'version', 'state'])
      .execute();
    const byName = Map.groupBy(versions, ({ name }) => name);
    return rows.map((row) => {
      const ofName = byName.get(row.name) ?? [];
      const same = ofName.find(({ id, content_digest: digest }) => id < row.id && digest === row.content_digest);
      const followers = subscribers.filter(({ name }) => name === row.name);
      const count = (some: typeof followers): number => some.reduce((sum, each) => sum + Number(each.count), 0);
      const own = followers.filter(({ version }) => version === row.version);
      return {
        is_newest: ofName.at(-1)?.id === row.id,
        version_count: ofName.length,
        previous_version: ofName.findLast(({ id }) => id < row.id)?.version ?? '',
        returns_to: same?.version ?? '',
        subscriber_count: count(followers),
        running_count: count(own.filter(({ state }) => state === 'switched')),
        fetching_count: count(own.filter(({ state }) => state === 'fetching')),
        failed_count: count(own.filter(({ state }) => state === 'failed')),
      };
    });
  }

  /** @returns the tasks that no other version of the name refers to. Throws NOT_FOUND. */
  async remove(name: string, version: string): Promise<string[]> {
    const row = await this.find(name, version);
    if (!row) throw noRelease(name, version);
    return this.#changes.write('release', row.id, async (db) => {
      await db.deleteFrom('release').where('id', '=', row.id).execute();
      const others = await db.selectFrom('release').select('task_ids').where('name', '=', name).execute();
      const used = new Set(others.flatMap(tasksOf));
      return tasksOf(row).filter((id) => !used.has(id));
    });
  }

  /** Throws NOT_FOUND for a version that is not published, RESOURCE_EXHAUSTED. */
  async report({ name, hostId, path, version, state, error }: SubscriberReport): Promise<void> {
    const target = createHash('sha256').update(`${hostId}\n${path}`).digest('hex');
    if (!(await this.find(name, version))) throw noRelease(name, version);
    const now = await this.#database.nowMs();
    const values = { version, state, error, updated_at: now };
    const table = 'release_subscriber' as const;
    await this.#database.transaction(async (db) => {
      const { numUpdatedRows } = await db
        .updateTable(table)
        .set(values)
        .where('name', '=', name)
        .where('target', '=', target)
        .executeTakeFirst();
      if (numUpdatedRows > 0n) return;
      const all = db.selectFrom(table).select((e) => e.fn.countAll().as('count'));
      const ofName = await all.where('name', '=', name).executeTakeFirstOrThrow();
      const ofHost = await all.where('host_id', '=', hostId).executeTakeFirstOrThrow();
      const inAll = await all.executeTakeFirstOrThrow();
      if (Number(ofName.count) >= maxReleaseSubscribers)
        throw new DragonflyError('RESOURCE_EXHAUSTED', `${name} has ${maxReleaseSubscribers} subscribers already`);
      if (Number(ofHost.count) >= maxSubscribersOfHost || Number(inAll.count) >= maxSubscribersInAll)
        throw new DragonflyError('RESOURCE_EXHAUSTED', `${hostId} follows no further name: there are too many already`);
      await this.#database.insert(table, { name, target, host_id: hostId, path, created_at: now, ...values }, db);
    });
  }

  async subscribers(name: string, { page, perPage }: Page): Promise<PageOf<SubscriberRow>> {
    const query = this.#database.db.selectFrom('release_subscriber').where('name', '=', name);
    const { total } = await query.select((e) => e.fn.countAll().as('total')).executeTakeFirstOrThrow();
    const rows = await query
      .selectAll()
      .orderBy('updated_at', 'desc')
      .orderBy('id', 'desc')
      .limit(perPage)
      .offset((page - 1) * perPage)
      .execute();
    return { rows, total: Number(total) };
  }

  /** Deletes expired versions, and subscribers that have not reported for long. */
  async prune(): Promise<void> {
    const now = await this.#database.nowMs();
    const { db } = this.#database;
    await db.deleteFrom('release').where('expires_at', '<=', now).execute();
    await db
      .deleteFrom('release_subscriber')
      .where('updated_at', '<', now - releaseSubscriberKeptMs)
      .execute();
  }

  async #requireRoom({ name, host_id: hostId }: NewRelease, db: Db): Promise<void> {
    const { versions } = await db
      .selectFrom('release')
      .select((e) => e.fn.countAll().as('versions'))
      .where('name', '=', name)
      .executeTakeFirstOrThrow();
    if (Number(versions) >= maxReleaseVersions)
      throw new DragonflyError('RESOURCE_EXHAUSTED', `${name} has ${maxReleaseVersions} versions already`, {
        hint: 'Delete old ones at the manager, or publish with a shorter --ttl.',
      });
    if (Number(versions) > 0) return;
    const { names } = await db
      .selectFrom('release')
      .select((e) => e.fn.count('name').distinct().as('names'))
      .executeTakeFirstOrThrow();
    if (Number(names) >= maxReleaseNames)
      throw new DragonflyError('RESOURCE_EXHAUSTED', `there are ${maxReleaseNames} names already`);
    const own = await db
      .selectFrom('release')
      .select((e) => e.fn.count('name').distinct().as('names'))
      .where('host_id', '=', hostId)
      .executeTakeFirstOrThrow();
    if (Number(own.names) >= maxReleaseNamesOfHost)
      throw new DragonflyError('RESOURCE_EXHAUSTED', `${hostId} has published ${maxReleaseNamesOfHost} names already`, {
        hint: 'Delete some of their versions at the manager, or publish them from another node.',
      });
  }

  /** The key that signed a version of a name owns the name. Throws PERMISSION_DENIED. */
  async requireKey(
    { name, public_key: key }: Pick<NewRelease, 'name' | 'public_key'>,
    db: Db = this.#database.db,
  ): Promise<void> {
    const signed = await db
      .selectFrom('release')
      .select('public_key')
      .where('name', '=', name)
      .where('public_key', '!=', '')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (!signed || signed.public_key === key) return;
    throw new DragonflyError('PERMISSION_DENIED', `versions of ${name} are signed with another key`, {
      hint: 'Sign with that key. Deleting all signed versions at the manager frees the name.',
    });
  }
}

export function tasksOf({ task_ids: ids }: Pick<ReleaseRow, 'task_ids'>): string[] {
  return parseJson<string[]>(ids, []);
}

export function noRelease(name: string, version: string | undefined): DragonflyError {
  const what = version === undefined ? `no version of ${name} is published` : `${name}@${version} is not published`;
  return new DragonflyError('NOT_FOUND', what, { hint: 'GET /api/v1/releases of the manager lists what is there.' });
}

function requireSame(known: ReleaseRow, release: NewRelease): ReleaseRow {
  if (known.content_digest === release.content_digest && known.public_key === release.public_key) return known;
  throw new DragonflyError('ALREADY_EXISTS', `${known.name}@${known.version} is published with other content`, {
    hint: 'A version never changes: publish the directory under a new one.',
  });
}
