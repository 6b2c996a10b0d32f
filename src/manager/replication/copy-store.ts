/** The database of the tags that rules cover, and of each cluster's copies of them. Whoever continues with a rule starts from it. */
import type { Selectable } from 'kysely';
import type { Database } from '../db/database.ts';
import { isUniqueViolation, type Db } from '../db/engine.ts';
import type { ReplicationCopyTable, ReplicationRuleTable, ReplicationTagTable } from '../db/replication-schema.ts';
import type { Page, PageOf } from '../db/table-store.ts';
import { maxReplicatedTags, replicationCopiesPerCluster, replicationLooksPerStep } from '../limits.ts';
import type { NamedTag } from './tag-source.ts';

export type TagRow = Selectable<ReplicationTagTable>;
export type CopyRow = Selectable<ReplicationCopyTable>;

export interface TagWithCopies extends TagRow {
  readonly copies: readonly CopyRow[];
}

/** The number of a rule's copies by state, and when the last one arrived. */
export interface CopyCounts {
  readonly cluster_id: number;
  readonly state: string;
  readonly failed: boolean;
  readonly count: number;
  readonly bytes: number;
}

/** What of a rule decides whether a copy is made, and of what. */
const askedColumns = [
  'source',
  'tags',
  'target',
  'platform',
  'scope',
  'cluster_ids',
  'to_clusters',
  'enabled',
] as const;

type AskedByRule = Pick<Selectable<ReplicationRuleTable>, (typeof askedColumns)[number]>;

/** Rows of one INSERT, and ids of one condition; all database engines accept this many. */
const rowsAtOnce = 400;

export class CopyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Marks all of these tags to be looked up at the source. If they are `all` there are, other tags are forgotten, since
   * the source no longer has them; if not, new tags beyond the rule's limit are left out. @returns how many were left
   * out.
   */
  async look(ruleId: number, tags: readonly NamedTag[], options: { readonly all: boolean }): Promise<number> {
    try {
      return await this.#look(ruleId, tags, options);
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      return this.#look(ruleId, tags, options); // another replica was told of the same tag, which is known now
    }
  }

  async #look(ruleId: number, tags: readonly NamedTag[], { all }: { readonly all: boolean }): Promise<number> {
    const now = await this.#database.nowMs();
    return this.#database.transaction(async (db) => {
      const known = await db
        .selectFrom('replication_tag')
        .select(['id', 'repository', 'tag'])
        .where('rule_id', '=', ruleId)
        .execute();
      const idOf = new Map(known.map(({ id, repository, tag }) => [`${repository}:${tag}`, id]));
      const named = new Map(tags.map((each) => [`${each.repository}:${each.tag}`, each]));
      const asked = [...named.keys()].flatMap((name) => idOf.get(name) ?? []);
      await inPortions(asked, (ids) =>
        db
          .updateTable('replication_tag')
          .set({ state: 'look', attempt: 0, retry_at: 0, updated_at: now })
          .where('id', 'in', ids)
          .execute(),
      );
      const fresh = [...named].flatMap(([name, each]) => (idOf.has(name) ? [] : [each]));
      const room = all ? fresh.length : Math.max(0, maxReplicatedTags - known.length);
      const rows = fresh.slice(0, room).map(({ repository, tag }) => ({
        ...newTag,
        rule_id: ruleId,
        repository,
        tag,
        created_at: now,
        updated_at: now,
      }));
      await inPortions(rows, (some) => db.insertInto('replication_tag').values(some).execute());
      const gone = all ? [...idOf].flatMap(([name, id]) => (named.has(name) ? [] : [id])) : [];
      await forget(gone, db);
      return fresh.length - rows.length;
    });
  }

  /** Marks a tag to be looked up again, because it differs from what the source said. */
  async lookAgain(id: number, atMs: number): Promise<void> {
    await this.#database.db
      .updateTable('replication_tag')
      .set({ state: 'look', attempt: 0, retry_at: atMs })
      .where('id', '=', id)
      .where('state', '=', 'known')
      .execute();
  }

  /** Tags that must be looked up at the source now. */
  tagsToLookAt(ruleId: number, nowMs: number): Promise<TagRow[]> {
    return this.#database.db
      .selectFrom('replication_tag')
      .selectAll()
      .where('rule_id', '=', ruleId)
      .where('state', '=', 'look')
      .where('retry_at', '<=', nowMs)
      .orderBy('id')
      .limit(replicationLooksPerStep)
      .execute();
  }

  /** Records the source's digest of a tag: clusters that have proven another digest, or none, wait for a copy. */
  async known(tag: TagRow, digest: string, clusterIds: readonly number[]): Promise<void> {
    const now = await this.#database.nowMs();
    await this.#database.transaction(async (db) => {
      const values = { digest, state: 'known', attempt: 0, retry_at: 0, error: '', updated_at: now };
      const { numUpdatedRows } = await db
        .updateTable('replication_tag')
        .set(values)
        .where('id', '=', tag.id)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return; // the rule is gone
      const copies = await db.selectFrom('replication_copy').selectAll().where('tag_id', '=', tag.id).execute();
      const there = new Set(copies.map((copy) => copy.cluster_id));
      const rows = clusterIds
        .filter((id) => !there.has(id))
        .map((id) => ({
          ...newCopy,
          rule_id: tag.rule_id,
          tag_id: tag.id,
          cluster_id: id,
          created_at: now,
          updated_at: now,
        }));
      if (rows.length > 0) await db.insertInto('replication_copy').values(rows).execute();
      const old = copies.filter((copy) => isSettled(copy) && copy.digest !== digest).map(({ id }) => id);
      await wait(old, now, db);
      const others = copies.filter((copy) => !clusterIds.includes(copy.cluster_id)).map(({ id }) => id);
      if (others.length > 0) await db.deleteFrom('replication_copy').where('id', 'in', others).execute();
    });
  }

  /** Records that the source could not be asked. */
  async unknown(tag: TagRow, error: string, retryAtMs: number): Promise<void> {
    await this.#database.db
      .updateTable('replication_tag')
      .set({ attempt: tag.attempt + 1, retry_at: retryAtMs, error })
      .where('id', '=', tag.id)
      .execute();
  }

  async forgetTag(id: number): Promise<void> {
    await this.#database.transaction((db) => forget([id], db));
  }

  /** Every cluster proves all of its copies once more; content that is already there is not fetched again. */
  async proveAgain(ruleId: number): Promise<void> {
    const now = await this.#database.nowMs();
    await this.#database.db
      .updateTable('replication_copy')
      .set({ state: 'waiting', attempt: 0, retry_at: 0, updated_at: now })
      .where('rule_id', '=', ruleId)
      .where('state', 'in', ['proven', 'copied', 'waiting'])
      .execute();
  }

  running(ruleId: number): Promise<CopyRow[]> {
    return this.#copies(ruleId).selectAll().where('state', '=', 'running').execute();
  }

  /** Waiting copies whose pause is over, ordered for each cluster: those that were not tried yet come first. */
  async due(ruleId: number, nowMs: number): Promise<CopyRow[]> {
    const query = this.#copies(ruleId).where('state', '=', 'waiting').where('retry_at', '<=', nowMs);
    const clusters = await query.select('cluster_id').distinct().execute();
    const ofEach = clusters.map(({ cluster_id: id }) =>
      query
        .selectAll()
        .where('cluster_id', '=', id)
        .orderBy('attempt')
        .orderBy('id')
        .limit(replicationCopiesPerCluster)
        .execute(),
    );
    return (await Promise.all(ofEach)).flat();
  }

  /** For each of these clusters the copy that ended last. */
  async lastEnded(ruleId: number, clusterIds: Iterable<number>): Promise<CopyRow[]> {
    const query = this.#copies(ruleId).where('ended_at', '>', 0).where('state', '!=', 'running');
    const ofEach = [...clusterIds].map((id) =>
      query
        .selectAll()
        .where('cluster_id', '=', id)
        .orderBy('ended_at', 'desc')
        .limit(replicationCopiesPerCluster)
        .execute(),
    );
    return (await Promise.all(ofEach)).flat();
  }

  async tag(id: number): Promise<TagRow | undefined> {
    return this.#database.db.selectFrom('replication_tag').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** As it runs now; undefined when somebody else has begun it, and when the rule asks for something else meanwhile. */
  async begin(copy: CopyRow, rule: AskedByRule): Promise<CopyRow | undefined> {
    const now = await this.#database.nowMs();
    const begun = { state: 'running', job_id: 0, started_at: now, updated_at: now };
    const { numUpdatedRows } = await this.#database.db
      .updateTable('replication_copy')
      .set(begun)
      .where('id', '=', copy.id)
      .where('state', '=', 'waiting')
      // A change of the rule that is written at the same time has touched the row; an engine may show the rule as it was before.
      .where('updated_at', '=', copy.updated_at)
      .where((e) =>
        e.exists(
          e
            .selectFrom('replication_rule')
            .select('id')
            .where('id', '=', copy.rule_id)
            .where((e) => e.and(askedColumns.map((column) => e(column, '=', rule[column])))),
        ),
      )
      .executeTakeFirst();
    return numUpdatedRows > 0n ? { ...copy, ...begun } : undefined;
  }

  /** Of one that runs. @returns false when it does not any more, or runs anew */
  async change(copy: CopyRow, values: Partial<Omit<CopyRow, 'id'>>): Promise<boolean> {
    const { numUpdatedRows } = await this.#database.db
      .updateTable('replication_copy')
      .set(values)
      .where('id', '=', copy.id)
      .where('state', '=', 'running')
      .where('started_at', '=', copy.started_at)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** Nothing more of the rule begins there before that moment. */
  async pause({ rule_id: ruleId, cluster_id: place }: CopyRow, untilMs: number): Promise<void> {
    await this.#database.db
      .updateTable('replication_copy')
      .set({ retry_at: untilMs })
      .where('rule_id', '=', ruleId)
      .where('cluster_id', '=', place)
      .where('state', '=', 'waiting')
      .where('retry_at', '<', untilMs)
      .execute();
  }

  /** No tag of the rule is asked after before that moment. */
  async pauseLooks(ruleId: number, error: string, untilMs: number): Promise<void> {
    await this.#database.db
      .updateTable('replication_tag')
      .set({ retry_at: untilMs, error })
      .where('rule_id', '=', ruleId)
      .where('state', '=', 'look')
      .where('retry_at', '<', untilMs)
      .execute();
  }

  /** The first moment at which a tag, or a copy of each cluster, has rested. */
  async rests(ruleId: number): Promise<{ tagsAtMs: number | undefined; copies: ReadonlyMap<number, number> }> {
    const { db } = this.#database;
    const tag = await db
      .selectFrom('replication_tag')
      .select((e) => e.fn.min('retry_at').as('at'))
      .where('rule_id', '=', ruleId)
      .where('state', '=', 'look')
      .executeTakeFirst();
    const copies = await this.#copies(ruleId)
      .select((e) => ['cluster_id', e.fn.min('retry_at').as('at')])
      .where('state', '=', 'waiting')
      .groupBy('cluster_id')
      .execute();
    const tagsAtMs = tag?.at === null || tag?.at === undefined ? undefined : Number(tag.at);
    return { tagsAtMs, copies: new Map(copies.map(({ cluster_id: id, at }) => [id, Number(at)])) };
  }

  #copies(ruleId: number) {
    return this.#database.db.selectFrom('replication_copy').where('rule_id', '=', ruleId);
  }

  async counts(ruleIds: readonly number[]): Promise<Map<number, CopyCounts[]>> {
    if (ruleIds.length === 0) return new Map();
    const rows = await this.#database.db
      .selectFrom('replication_copy')
      .select((e) => [
        'rule_id',
        'cluster_id',
        'state',
        e.case().when('attempt', '>', 0).then(1).else(0).end().as('failed'),
        e.fn.countAll().as('count'),
        e.fn.sum('bytes').as('bytes'),
      ])
      .where('rule_id', 'in', ruleIds)
      .groupBy(['rule_id', 'cluster_id', 'state', 'failed'])
      .orderBy('cluster_id')
      .execute();
    const counts = rows.map(({ rule_id, cluster_id, state, failed, count, bytes }) => ({
      rule_id,
      cluster_id,
      state,
      failed: Number(failed) === 1,
      count: Number(count),
      bytes: Number(bytes),
    }));
    return Map.groupBy(counts, (row) => row.rule_id);
  }

  async tagCounts(ruleIds: readonly number[]): Promise<Map<number, number>> {
    if (ruleIds.length === 0) return new Map();
    const rows = await this.#database.db
      .selectFrom('replication_tag')
      .select((e) => ['rule_id', e.fn.countAll().as('count')])
      .where('rule_id', 'in', ruleIds)
      .groupBy('rule_id')
      .execute();
    return new Map(rows.map(({ rule_id: id, count }) => [id, Number(count)]));
  }

  async tags(ruleId: number, { page, perPage }: Page): Promise<PageOf<TagWithCopies>> {
    const query = this.#database.db.selectFrom('replication_tag').where('rule_id', '=', ruleId);
    const { total } = await query.select((e) => e.fn.countAll().as('total')).executeTakeFirstOrThrow();
    const rows = await query
      .selectAll()
      .orderBy('repository')
      .orderBy('tag')
      .limit(perPage)
      .offset((page - 1) * perPage)
      .execute();
    const copies: CopyRow[] = [];
    await inPortions(rows, async (some) => {
      const ids = some.map(({ id }) => id);
      const of = this.#database.db.selectFrom('replication_copy').selectAll().where('tag_id', 'in', ids);
      copies.push(...(await of.orderBy('cluster_id').execute()));
    });
    const byTag = Map.groupBy(copies, (copy) => copy.tag_id);
    return { rows: rows.map((row) => ({ ...row, copies: byTag.get(row.id) ?? [] })), total: Number(total) };
  }
}

const newTag = { digest: '', state: 'look', attempt: 0, retry_at: 0, error: '' } as const;

export const newCopy = {
  digest: '',
  bytes: 0,
  state: 'waiting',
  job_id: 0,
  attempt: 0,
  retry_at: 0,
  started_at: 0,
  ended_at: 0,
  proven_at: 0,
  error: '',
} as const;

/** Neither running nor requested. */
export function isSettled({ state }: Pick<CopyRow, 'state'>): boolean {
  return state === 'proven' || state === 'copied';
}

async function wait(ids: readonly number[], now: number, db: Db): Promise<void> {
  if (ids.length === 0) return;
  await db
    .updateTable('replication_copy')
    .set({ state: 'waiting', attempt: 0, retry_at: 0, updated_at: now })
    .where('id', 'in', ids)
    .execute();
}

async function forget(tagIds: readonly number[], db: Db): Promise<void> {
  await inPortions(tagIds, async (ids) => {
    await db.deleteFrom('replication_copy').where('tag_id', 'in', ids).execute();
    await db.deleteFrom('replication_tag').where('id', 'in', ids).execute();
  });
}

export async function inPortions<T>(all: readonly T[], work: (some: readonly T[]) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < all.length; start += rowsAtOnce) await work(all.slice(start, start + rowsAtOnce));
}
