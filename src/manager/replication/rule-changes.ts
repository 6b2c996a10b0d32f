/**
 * What a change of a rule, or of the clusters there are, means for copies that were made before: what is proven is proven for what
 * the rule asks now, and nobody gets any more what he is not to have.
 */
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import type { Db } from '../db/engine.ts';
import { defaultPlatform } from '../jobs/job-types.ts';
import type { JobStore } from '../jobs/job-store.ts';
import { inPortions, newCopy, type CopyRow } from './copy-store.ts';
import { covers, isSamePlace, originOfSource } from './rule-source.ts';
import { clusterIdsOf, targetId, type RuleRow } from './rule-row.ts';

export interface RuleChangeParts {
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly jobs: JobStore;
}

type Jobs = Pick<JobStore, 'cancelAll'>;

/** In the transaction of the change. */
export async function adaptCopies(old: RuleRow, rule: RuleRow, jobs: Jobs, db: Db, nowMs: number): Promise<void> {
  const { id } = rule;
  // Proofs are of one source and of one place: the same digest elsewhere proves nothing.
  if (originOfSource(old.source) !== originOfSource(rule.source)) return forgetTags(id, jobs, db);
  const there = await placesOf(id, db);
  await forgetPlaces(
    id,
    there.filter((place) => !mayHave(rule, place) || isElsewhere(old, rule, place)),
    jobs,
    db,
  );
  if (old.source !== rule.source || old.tags !== rule.tags) await forgetUncovered(rule, jobs, db);
  // A target gets all platforms, whatever the rule says.
  if (contentOf(old) === contentOf(rule)) return;
  const clusters = there.filter((place) => place !== targetId && mayHave(rule, place));
  await ofPlaces(id, clusters, jobs, db, (ids) =>
    db
      .updateTable('replication_copy')
      .set({ ...newCopy, updated_at: nowMs })
      .where('id', 'in', ids)
      .execute(),
  );
}

/** With what was begun for them. */
export async function forgetTags(ruleId: number, jobs: Jobs, db: Db): Promise<void> {
  await forgetPlaces(ruleId, await placesOf(ruleId, db), jobs, db);
  await db.deleteFrom('replication_tag').where('rule_id', '=', ruleId).execute();
}

/** Places that are to have the rule's tags have copies of all of them, and other places none. */
export async function keepPlaces(
  { database, changes, jobs }: RuleChangeParts,
  ruleId: number,
  places: readonly number[],
): Promise<void> {
  const there = new Set(await placesOf(ruleId, database.db));
  const gone = [...there].filter((place) => !places.includes(place));
  if (gone.length > 0) await changes.write('replication', ruleId, (db) => forgetPlaces(ruleId, gone, jobs, db));
  const now = await database.nowMs();
  for (const place of places.filter((each) => !there.has(each))) {
    await database.transaction(async (db) => {
      const tags = await db
        .selectFrom('replication_tag')
        .select('id')
        .where('rule_id', '=', ruleId)
        .where('digest', '!=', '')
        .execute();
      const stamps = { rule_id: ruleId, cluster_id: place, created_at: now, updated_at: now };
      await inPortions(tags, (some) =>
        db
          .insertInto('replication_copy')
          .values(some.map(({ id }) => ({ ...newCopy, ...stamps, tag_id: id })))
          .execute(),
      );
    });
  }
}

async function placesOf(ruleId: number, db: Db): Promise<number[]> {
  const rows = await db
    .selectFrom('replication_copy')
    .select('cluster_id')
    .distinct()
    .where('rule_id', '=', ruleId)
    .execute();
  return rows.map(({ cluster_id: id }) => id);
}

function forgetPlaces(ruleId: number, places: readonly number[], jobs: Jobs, db: Db): Promise<void> {
  return ofPlaces(ruleId, places, jobs, db, (ids) =>
    db.deleteFrom('replication_copy').where('id', 'in', ids).execute(),
  );
}

async function forgetUncovered(rule: RuleRow, jobs: Jobs, db: Db): Promise<void> {
  const tags = await db
    .selectFrom('replication_tag')
    .select(['id', 'repository', 'tag'])
    .where('rule_id', '=', rule.id)
    .execute();
  const gone = tags.filter((tag) => !covers(rule, tag));
  await inPortions(gone, async (some) => {
    const ids = some.map(({ id }) => id);
    const copies = await db.selectFrom('replication_copy').select(begunBy).where('tag_id', 'in', ids).execute();
    await jobs.cancelAll(jobsOf(copies), db);
    await db.deleteFrom('replication_copy').where('tag_id', 'in', ids).execute();
    await db.deleteFrom('replication_tag').where('id', 'in', ids).execute();
  });
}

const begunBy = ['job_id', 'state'] as const;

function jobsOf(copies: readonly Pick<CopyRow, (typeof begunBy)[number]>[]): number[] {
  return copies.flatMap(({ state, job_id: job }) => (state === 'running' && job !== 0 ? [job] : []));
}

/** All copies of these places; what is under way for them is of no use any more. */
async function ofPlaces(
  ruleId: number,
  places: readonly number[],
  jobs: Jobs,
  db: Db,
  work: (ids: readonly number[]) => Promise<unknown>,
): Promise<void> {
  for (const place of places) {
    const copies = await db
      .selectFrom('replication_copy')
      .select(['id', ...begunBy])
      .where('rule_id', '=', ruleId)
      .where('cluster_id', '=', place)
      .execute();
    await jobs.cancelAll(jobsOf(copies), db);
    await inPortions(copies, (some) => work(some.map(({ id }) => id)));
  }
}

function mayHave(rule: RuleRow, place: number): boolean {
  if (place === targetId) return rule.target !== '';
  const named = clusterIdsOf(rule);
  return rule.to_clusters === 1 && (named.length === 0 || named.includes(place));
}

function isElsewhere(old: RuleRow, rule: RuleRow, place: number): boolean {
  return place === targetId && !isSamePlace(old.target, rule.target);
}

/** What nodes of a cluster are to hold of a tag. */
function contentOf({ platform, scope }: RuleRow): string {
  return `${platform === '' ? defaultPlatform : platform} ${scope}`;
}
