/** The database of replication rules. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { DragonflyError } from '../../core/errors.ts';
import type { Login } from '../../rpc/registry/registry-credential.ts';
import type { Sealer } from '../access/sealer.ts';
import { parseJson } from '../clusters/types.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { uniqueOr, type Db } from '../db/engine.ts';
import type { Page, PageOf } from '../db/table-store.ts';
import type { JobStore } from '../jobs/job-store.ts';
import type { PreheatScope } from '../jobs/job-types.ts';
import { maxReplicationRules } from '../limits.ts';
import { adaptCopies, forgetTags } from './rule-changes.ts';
import type { RuleRow } from './rule-row.ts';
import { originOfSource, originOfTarget } from './rule-source.ts';

/** The fields to set; absent ones stay unchanged. */
export interface RuleWish {
  readonly name?: string | undefined;
  readonly bio?: string | undefined;
  readonly source?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly clusterIds?: readonly number[] | undefined;
  readonly toClusters?: boolean | undefined;
  readonly target?: string | undefined;
  readonly platform?: string | undefined;
  readonly scope?: PreheatScope | undefined;
  readonly onPush?: boolean | undefined;
  readonly intervalMs?: number | undefined;
  readonly rateBytesPerSec?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly enabled?: boolean | undefined;
  /** Null removes it. It belongs to one registry, so a new registry gets none unless it is given again. */
  readonly login?: Login | null | undefined;
  /** For the target, and likewise. */
  readonly targetLogin?: Login | null | undefined;
}

const purpose = 'replication rule';
const targetPurpose = 'target of a replication rule';

/** As it is sealed: with the registry it was given for, so that no two changes at once bring it to another. */
type KeptLogin = Login & { readonly origin?: string | undefined };

export interface RuleStoreParts {
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly sealer: Sealer;
  readonly jobs: JobStore;
}

export class RuleStore {
  readonly #database: Database;
  readonly #changes: ChangeFeed;
  readonly #sealer: Sealer;
  readonly #jobs: JobStore;

  constructor({ database, changes, sealer, jobs }: RuleStoreParts) {
    this.#database = database;
    this.#changes = changes;
    this.#sealer = sealer;
    this.#jobs = jobs;
  }

  /** Creates a rule; if it is enabled its tags are listed at once. Throws ALREADY_EXISTS, RESOURCE_EXHAUSTED. */
  async create(wish: RuleWish & { readonly name: string; readonly source: string }, userId: number): Promise<number> {
    const now = await this.#database.nowMs();
    const row = {
      ...defaults,
      ...columnsOf(wish),
      ...this.#logins(wish, { source: wish.source, target: wish.target ?? '' }),
      name: wish.name,
      source: wish.source,
      user_id: userId,
      asked_at: now,
      created_at: now,
      updated_at: now,
    };
    return this.#changes.writeNew('replication', async (db) => {
      const { count } = await db
        .selectFrom('replication_rule')
        .select((e) => e.fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      if (Number(count) >= maxReplicationRules)
        throw new DragonflyError('RESOURCE_EXHAUSTED', `there are ${maxReplicationRules} rules already`);
      return this.#database.insert('replication_rule', row, db);
    });
  }

  /** Changes a rule; its tags are listed again. Throws NOT_FOUND, ALREADY_EXISTS. */
  async update(id: number, wish: RuleWish): Promise<void> {
    const now = await this.#database.nowMs();
    const values = { ...columnsOf(wish), asked_at: now, retry_at: 0, attempt: 0, updated_at: now };
    await this.#write(id, async (old, db) => {
      const rule = { ...old, ...values };
      await adaptCopies(old, rule, this.#jobs, db, now);
      return {
        ...(originOfSource(old.source) !== originOfSource(rule.source) && { sealed_login: '' }),
        ...(originOfTarget(old.target) !== originOfTarget(rule.target) && { sealed_target_login: '' }),
        ...values,
        ...this.#logins(wish, rule),
      };
    });
  }

  /** Requests that its tags are listed as soon as possible. Throws NOT_FOUND. */
  async ask(id: number): Promise<void> {
    const values = { asked_at: await this.#database.nowMs(), retry_at: 0 };
    await this.#write(id, () => values);
  }

  /** @returns the new secret by which a registry authenticates itself; the previous one becomes invalid. Throws NOT_FOUND. */
  async renewSecret(id: number): Promise<string> {
    const secret = randomBytes(24).toString('base64url');
    await this.#write(id, () => ({ secret_hash: this.#sealer.tokenHash(secret) }));
    return secret;
  }

  isSecret({ secret_hash: hash }: RuleRow, secret: string): boolean {
    const given = Buffer.from(this.#sealer.tokenHash(secret));
    return hash.length === given.length && timingSafeEqual(Buffer.from(hash), given);
  }

  /** What a list came to. @param askedAt of a list that failed: it says nothing of one that was asked for meanwhile */
  async listed(
    id: number,
    result: Partial<Pick<RuleRow, 'attempt' | 'retry_at' | 'error' | 'listed_at'>>,
    askedAt?: number,
  ): Promise<void> {
    const change = this.#database.db.updateTable('replication_rule').set(result).where('id', '=', id);
    await (askedAt === undefined ? change : change.where('asked_at', '=', askedAt)).execute();
  }

  find(id: number, db: Db = this.#database.db): Promise<RuleRow | undefined> {
    return db.selectFrom('replication_rule').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** Throws NOT_FOUND. */
  async get(id: number, db?: Db): Promise<RuleRow> {
    const row = await this.find(id, db);
    if (row) return row;
    throw new DragonflyError('NOT_FOUND', `there is no replication rule ${id}`);
  }

  async list({ page, perPage }: Page): Promise<PageOf<RuleRow>> {
    const query = this.#database.db.selectFrom('replication_rule');
    const { total } = await query.select((e) => e.fn.countAll().as('total')).executeTakeFirstOrThrow();
    const rows = await query
      .selectAll()
      .orderBy('name')
      .limit(perPage)
      .offset((page - 1) * perPage)
      .execute();
    return { rows, total: Number(total) };
  }

  all(): Promise<RuleRow[]> {
    return this.#database.db.selectFrom('replication_rule').selectAll().orderBy('id').execute();
  }

  /** Deletes the rule with what is known of its tags; the clusters keep their content. Throws NOT_FOUND. */
  async delete(id: number): Promise<void> {
    await this.#changes.write('replication', id, async (db) => {
      await this.get(id, db);
      await forgetTags(id, this.#jobs, db);
      await db.deleteFrom('replication_rule').where('id', '=', id).execute();
    });
  }

  /** Undefined when the source is read without a login. */
  login({ sealed_login: sealed, source }: RuleRow): Login | undefined {
    return this.#open(purpose, sealed, originOfSource(source));
  }

  /** Undefined where the target is written to without one. */
  targetLogin({ sealed_target_login: sealed, target }: RuleRow): Login | undefined {
    return this.#open(targetPurpose, sealed, originOfTarget(target));
  }

  #open(purpose: string, sealed: string, origin: string | undefined): Login | undefined {
    const kept = sealed === '' ? null : parseJson<KeptLogin | null>(this.#sealer.open(purpose, sealed), null);
    // Those of earlier versions say nothing; each was taken away when its rule moved.
    if (!kept || (kept.origin !== undefined && kept.origin !== origin)) return undefined;
    return { username: kept.username, password: kept.password };
  }

  #logins(
    { login, targetLogin }: RuleWish,
    { source, target }: { readonly source: string; readonly target: string },
  ): Partial<Pick<RuleRow, 'sealed_login' | 'sealed_target_login'>> {
    const seal = (purpose: string, { username, password }: Login, origin: string | undefined): string =>
      this.#sealer.seal(purpose, JSON.stringify({ username, password, origin } satisfies KeptLogin));
    return {
      ...(login !== undefined && { sealed_login: login ? seal(purpose, login, originOfSource(source)) : '' }),
      ...(targetLogin !== undefined && {
        sealed_target_login: targetLogin ? seal(targetPurpose, targetLogin, originOfTarget(target)) : '',
      }),
    };
  }

  async #write(
    id: number,
    change: (old: RuleRow, db: Db) => Partial<Omit<RuleRow, 'id'>> | Promise<Partial<Omit<RuleRow, 'id'>>>,
  ): Promise<void> {
    await this.#changes.write('replication', id, async (db) => {
      const values = await change(await this.get(id, db), db);
      await uniqueOr('replication_rule', () =>
        db.updateTable('replication_rule').set(values).where('id', '=', id).execute(),
      );
    });
  }
}

/** Without the logins, which are sealed. */
function columnsOf(wish: RuleWish): Partial<Omit<RuleRow, 'id'>> {
  const { tags, clusterIds, toClusters, onPush, enabled } = wish;
  const columns = {
    name: wish.name,
    bio: wish.bio,
    source: wish.source,
    tags: tags && JSON.stringify(tags),
    cluster_ids: clusterIds && JSON.stringify([...new Set(clusterIds)]),
    to_clusters: toClusters === undefined ? undefined : flag(toClusters),
    target: wish.target,
    platform: wish.platform,
    scope: wish.scope,
    on_push: onPush === undefined ? undefined : flag(onPush),
    interval_ms: wish.intervalMs,
    rate_bytes_per_sec: wish.rateBytesPerSec,
    concurrency: wish.concurrency,
    enabled: enabled === undefined ? undefined : flag(enabled),
  };
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined));
}

const defaults = {
  bio: '',
  tags: '["*"]',
  cluster_ids: '[]',
  platform: '',
  scope: 'single_seed_peer',
  on_push: 0,
  interval_ms: 0,
  rate_bytes_per_sec: 0,
  concurrency: 4,
  enabled: 1,
  sealed_login: '',
  sealed_target_login: '',
  to_clusters: 1,
  target: '',
  secret_hash: '',
  listed_at: 0,
  attempt: 0,
  retry_at: 0,
  error: '',
} as const;

function flag(value: boolean): 0 | 1 {
  return value ? 1 : 0;
}
