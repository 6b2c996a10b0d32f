/** `/replication-rules`: which tags of which registry clusters are to have, and what each of them has proven. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import { isRepositoryName, isTagName } from '../../../core/oci/reference.ts';
import { maxNotifiedEvents } from '../../limits.ts';
import type { Replication } from '../../replication/replication.ts';
import type { RuleRow } from '../../replication/rule-row.ts';
import { bearer } from '../access-hook.ts';
import { pageQuery, setPageHeaders, toPage } from '../paging.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, sendNothing, type RestApp, type RouteAccess } from '../request.ts';
import { idParams, nothing } from '../schemas.ts';
import { changeBody, createBody, ruleSchema, tagSchema, toRule, toTag, toWish } from './replication-views.ts';

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
      const { name, source, scheduler_cluster_ids: ids } = request.body;
      const wish = { ...toWish(request.body), name, source };
      await requireClusters(ids, database);
      replication.check(wish);
      return one(await rules.create(wish, callerOf(request).userId));
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
      const wish = toWish(body);
      await requireClusters(body.scheduler_cluster_ids, database);
      replication.check(wish, await rules.get(params.id));
      await rules.update(params.id, wish);
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

/** Throws NOT_FOUND. */
async function requireClusters(ids: readonly number[] | undefined, { db }: RestParts['database']): Promise<void> {
  if (!ids || ids.length === 0) return;
  const there = await db.selectFrom('scheduler_cluster').select('id').where('id', 'in', ids).execute();
  const missing = ids.find((id) => !there.some((cluster) => cluster.id === id));
  if (missing !== undefined) throw new DragonflyError('NOT_FOUND', `there is no cluster ${missing}`);
}
