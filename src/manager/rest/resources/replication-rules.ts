/** `/replication-rules`: which tags of which registry clusters are to have, and what each of them has proven. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import { isRepositoryName, isTagName, parseRepositoryPattern } from '../../../core/oci/reference.ts';
import { preheatScopes } from '../../jobs/job-types.ts';
import { maxNotifiedEvents } from '../../limits.ts';
import { isSettled, type CopyCounts, type TagWithCopies } from '../../replication/copy-store.ts';
import type { Replication } from '../../replication/replication.ts';
import { clusterIdsOf, tagPatternsOf, type RuleRow } from '../../replication/rule-store.ts';
import { bearer } from '../access-hook.ts';
import { pageQuery, setPageHeaders, toPage } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, sendNothing, type RestApp, type RouteAccess } from '../request.ts';
import { bio, idParams, nothing, reference, stamps, time, timestamps } from '../schemas.ts';

const minIntervalSeconds = 60;
const glob = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9_.*-]+$/, 'is no tag, and no pattern with *');

const fields = {
  name: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'has letters, digits, dots and dashes'),
  bio,
  source: z
    .string()
    .max(512)
    .refine(
      (text) => parseRepositoryPattern(text) !== undefined,
      'is no registry.example/repository, * stands for anything',
    )
    .describe('repositories of a registry: registry.example/team/*'),
  tags: z.array(glob).min(1).max(20).describe('patterns, one of which a tag matches'),
  scheduler_cluster_ids: z.array(reference).max(1_000).describe('all clusters when there are none'),
  platform: z.string().regex(/^(?:[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?)?$/, 'is no platform'),
  scope: z.enum(preheatScopes),
  on_push: z.boolean().describe('notifications of the registry are heard'),
  interval_seconds: z
    .int()
    .max(366 * 86_400)
    .refine((seconds) => seconds === 0 || seconds >= minIntervalSeconds, `is 0 or at least ${minIntervalSeconds}`)
    .describe('tags are listed so often; 0 for never'),
  rate_bytes_per_sec: z.int().min(0).describe('to one cluster, on average; 0 without a bound'),
  concurrency: z.int().min(1).max(64).describe('tags that one cluster gets at once'),
  enabled: z.boolean(),
};
const login = { username: z.string().max(1024), password: z.string().max(16_384) };
const halfLogin = { error: 'goes with the other half of the login; both empty take it away', path: ['password'] };

const createBody = z
  .object({ ...z.object({ ...fields, ...login }).partial().shape, name: fields.name, source: fields.source })
  .refine(isWholeLogin, halfLogin)
  .meta({ id: 'NewReplicationRule' });
const changeBody = z
  .object({ ...fields, ...login })
  .partial()
  .refine(isWholeLogin, halfLogin);

const clusterSchema = z.object({
  scheduler_cluster_id: z.int(),
  proven: z.int(),
  copied: z.int().describe('there, but the nodes cannot prove it'),
  running: z.int(),
  waiting: z.int(),
  failed: z.int().describe('waiting for another try'),
  bytes: z.int(),
});

const ruleSchema = z
  .object({
    ...timestamps,
    ...fields,
    username: z.string(),
    has_secret: z.boolean().describe('a registry can prove itself'),
    tag_count: z.int(),
    listed_at: z.iso.datetime().nullable(),
    error: z.string().describe('why the tags could not be listed'),
    clusters: z.array(clusterSchema),
  })
  .meta({ id: 'ReplicationRule' });

const tagSchema = z
  .object({
    repository: z.string(),
    tag: z.string(),
    digest: z.string().describe('what the source said last'),
    error: z.string(),
    clusters: z.array(
      z.object({
        scheduler_cluster_id: z.int(),
        state: z.enum(['waiting', 'running', 'proven', 'copied', 'failed']),
        digest: z.string().describe('what the cluster has proven last'),
        bytes: z.int(),
        job_id: z.int(),
        proven_at: z.iso.datetime().nullable(),
        error: z.string(),
      }),
    ),
  })
  .meta({ id: 'ReplicatedTag' });

const notification = z.object({
  events: z
    .array(
      z.looseObject({
        action: z.string(),
        target: z
          .looseObject({ repository: z.string().max(255).optional(), tag: z.string().max(128).optional() })
          .optional(),
      }),
    )
    .max(maxNotifiedEvents),
});

export function replicationRuleRoutes(
  app: RestApp,
  { replication, database }: Pick<RestParts, 'replication' | 'database'>,
  access: RouteAccess,
): void {
  const config = { access };
  const { rules, copies } = replication;
  const present = async (rows: readonly RuleRow[]) => {
    const ids = rows.map(({ id }) => id);
    const [counts, tagCounts] = await Promise.all([copies.counts(ids), copies.tagCounts(ids)]);
    return rows.map((row) =>
      toRule(row, { rules, counts: counts.get(row.id) ?? [], tags: tagCounts.get(row.id) ?? 0 }),
    );
  };
  const one = async (id: number) => (await present([await rules.get(id)]))[0] as z.output<typeof ruleSchema>;

  app.post(
    '/replication-rules',
    {
      config,
      schema: {
        summary: 'Create a rule; its tags are listed at once',
        body: createBody,
        response: { 200: ruleSchema },
      },
    },
    async (request) => {
      const wish = await toWish(request.body, database);
      const { name, source } = request.body;
      return one(await rules.create({ ...wish, name, source }, callerOf(request).userId));
    },
  );
  app.get(
    '/replication-rules',
    {
      config,
      schema: {
        summary: 'List rules, and how far each cluster is',
        querystring: z.object(pageQuery),
        response: { 200: z.array(ruleSchema) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const { rows, total } = await rules.list(page);
      setPageHeaders(request, reply, page, total);
      return present(rows);
    },
  );
  app.get(
    '/replication-rules/:id',
    { config, schema: { summary: 'One rule', params: idParams, response: { 200: ruleSchema } } },
    ({ params }) => one(params.id),
  );
  app.patch(
    '/replication-rules/:id',
    {
      config,
      schema: {
        summary: 'Change a rule; its tags are listed anew',
        params: idParams,
        body: changeBody,
        response: { 200: ruleSchema },
      },
    },
    async ({ params, body }) => {
      await rules.update(params.id, await toWish(body, database));
      return one(params.id);
    },
  );
  app.delete(
    '/replication-rules/:id',
    {
      config,
      schema: { summary: 'Delete a rule; clusters keep what they have', params: idParams, response: { 200: nothing } },
    },
    async ({ params }, reply) => {
      await rules.delete(params.id);
      return sendNothing(reply);
    },
  );
  app.post(
    '/replication-rules/:id/run',
    {
      config,
      schema: {
        summary: 'List the tags now, and bring what is missing',
        params: idParams,
        body: z.object({ prove_again: z.boolean().default(false).describe('also what was proven before') }).nullish(),
        response: { 200: ruleSchema },
      },
    },
    async ({ params, body }) => {
      if (body?.prove_again === true) await copies.proveAgain(params.id);
      await rules.ask(params.id);
      return one(params.id);
    },
  );
  app.post(
    '/replication-rules/:id/secret',
    {
      config,
      schema: {
        summary: 'A new secret for notifications of the registry; the one before counts no more',
        params: idParams,
        response: { 200: z.object({ secret: z.string() }) },
      },
    },
    async ({ params }) => ({ secret: await rules.renewSecret(params.id) }),
  );
  app.get(
    '/replication-rules/:id/tags',
    {
      config,
      schema: {
        summary: 'Tags that the rule covers, and what each cluster has proven',
        params: idParams,
        querystring: z.object(pageQuery),
        response: { 200: z.array(tagSchema) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      await rules.get(request.params.id);
      const { rows, total } = await copies.tags(request.params.id, page);
      setPageHeaders(request, reply, page, total);
      return rows.map(toTag);
    },
  );
}

/** For registries, which have a secret and no account. What they say is looked up: nobody is believed about a digest. */
export function replicationNotificationRoute(app: RestApp, { replication }: Pick<RestParts, 'replication'>): void {
  const verify = (request: FastifyRequest): Promise<void> => {
    const { id } = request.params as { id?: unknown };
    return replication.verify(Number(id), bearer(request) ?? '');
  };
  app.post(
    '/replication-rules/:id/notifications',
    {
      config: { access: { kind: 'secret', verify } },
      schema: {
        summary: 'Notification of a registry that something was pushed; Authorization: Bearer SECRET',
        params: idParams,
        body: notification,
        response: { 200: z.object({ tags: z.int().describe('that are looked up') }) },
      },
    },
    async ({ params, body }) => ({ tags: await replication.pushed(params.id, pushedTags(body)) }),
  );
}

function isWholeLogin({
  username,
  password,
}: {
  username?: string | undefined;
  password?: string | undefined;
}): boolean {
  return (username === undefined) === (password === undefined) && (username === '') === (password === '');
}

/** What is no name of a repository or a tag is left out: it would be part of a URL. */
function pushedTags({ events }: z.output<typeof notification>): Parameters<Replication['pushed']>[1] {
  return events.flatMap(({ action, target }) =>
    action === 'push' &&
    target?.repository !== undefined &&
    target.tag !== undefined &&
    isRepositoryName(target.repository) &&
    isTagName(target.tag)
      ? [{ repository: target.repository, tag: target.tag }]
      : [],
  );
}

async function toWish(body: z.output<typeof changeBody>, { db }: RestParts['database']) {
  const ids = body.scheduler_cluster_ids;
  if (ids && ids.length > 0) {
    const there = await db.selectFrom('scheduler_cluster').select('id').where('id', 'in', ids).execute();
    const missing = ids.find((id) => !there.some((cluster) => cluster.id === id));
    if (missing !== undefined) throw new DragonflyError('NOT_FOUND', `there is no cluster ${missing}`);
  }
  const { username, password } = body;
  const { name, source, tags, platform, scope, concurrency, enabled } = body;
  return {
    name,
    bio: body.bio,
    source,
    tags,
    platform,
    scope,
    concurrency,
    enabled,
    clusterIds: ids,
    onPush: body.on_push,
    intervalMs: body.interval_seconds === undefined ? undefined : body.interval_seconds * 1000,
    rateBytesPerSec: body.rate_bytes_per_sec,
    login: username === undefined ? undefined : username === '' ? null : { username, password: password ?? '' },
  };
}

function toRule(
  row: RuleRow,
  { rules, counts, tags }: { rules: Replication['rules']; counts: readonly CopyCounts[]; tags: number },
): z.output<typeof ruleSchema> {
  const clusters = [...Map.groupBy(counts, (count) => count.cluster_id)].map(([id, own]) => {
    const sum = (wanted: (count: CopyCounts) => boolean): number =>
      own.filter(wanted).reduce((total, { count }) => total + count, 0);
    return {
      scheduler_cluster_id: id,
      proven: sum(({ state }) => state === 'proven'),
      copied: sum(({ state }) => state === 'copied'),
      running: sum(({ state }) => state === 'running'),
      waiting: sum(({ state, failed }) => state === 'waiting' && !failed),
      failed: sum(({ state, failed }) => state === 'waiting' && failed),
      bytes: own.filter(isSettled).reduce((total, { bytes }) => total + bytes, 0),
    };
  });
  return {
    ...stamps(row),
    name: row.name,
    bio: row.bio,
    source: row.source,
    tags: tagPatternsOf(row),
    scheduler_cluster_ids: clusterIdsOf(row),
    platform: row.platform,
    scope: row.scope as (typeof preheatScopes)[number],
    on_push: row.on_push === 1,
    interval_seconds: row.interval_ms / 1000,
    rate_bytes_per_sec: row.rate_bytes_per_sec,
    concurrency: row.concurrency,
    enabled: row.enabled === 1,
    username: rules.login(row)?.username ?? '',
    has_secret: row.secret_hash !== '',
    tag_count: tags,
    listed_at: row.listed_at === 0 ? null : time(row.listed_at),
    error: row.error,
    clusters,
  };
}

function toTag({ repository, tag, digest, error, copies }: TagWithCopies): z.output<typeof tagSchema> {
  return {
    repository,
    tag,
    digest,
    error,
    clusters: copies.map((copy) => ({
      scheduler_cluster_id: copy.cluster_id,
      state:
        copy.state === 'waiting' && copy.attempt > 0
          ? 'failed'
          : (copy.state as 'waiting' | 'running' | 'proven' | 'copied'),
      digest: copy.digest,
      bytes: copy.bytes,
      job_id: copy.job_id,
      proven_at: copy.proven_at === 0 ? null : time(copy.proven_at),
      error: copy.error,
    })),
  };
}
