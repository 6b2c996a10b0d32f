/** `/jobs` under both prefixes, with progress per node and blob, cancel and retry. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import type { Access } from '../../access/access.ts';
import type { Caller } from '../../access/caller.ts';
import type { TokenScope } from '../../access/tokens.ts';
import type { ClusterStore } from '../../clusters/cluster-store.ts';
import { parseJson } from '../../clusters/types.ts';
import type { Database } from '../../db/database.ts';
import { collectBounds } from '../../jobs/collect.ts';
import type { JobService } from '../../jobs/job-service.ts';
import type { Job, JobSight } from '../../jobs/job-store.ts';
import type { JobTask, JobTasks } from '../../jobs/job-tasks.ts';
import { collectArgs, jobArgs, jobStates, jobTypes, type JobType } from '../../jobs/job-types.ts';
import { maxShownTasks, syncJobTimeoutMs } from '../../limits.ts';
import { pageQuery, setPageHeaders, toPage } from '../paging.ts';
import { callerOf, sendNothing, type RestApp, type RouteAccess } from '../request.ts';
import { bio, idParams, idSchema, nothing, reference, stamps, timestamps } from '../schemas.ts';

export interface JobRouteParts {
  readonly jobs: JobService;
  readonly tasks: JobTasks;
  readonly clusters: ClusterStore;
  readonly database: Database;
  readonly access: Access;
}

const loose = z.looseObject({});
const named = z.object({ id: z.int(), name: z.string() });

const blobSchema = z.object({
  url: z.string(),
  task_id: z.string(),
  state: z.string(),
  finished_bytes: z.int(),
  content_length: z.int(),
  /** The node itself confirmed that it holds all of it. */
  verified: z.boolean(),
  attempt: z.int(),
  error: z.string(),
});

export const jobSchema = z
  .object({
    ...timestamps,
    task_id: z.string(),
    bio: z.string(),
    type: z.string(),
    state: z.enum(jobStates),
    args: loose,
    result: loose.nullable(),
    user_id: z.int(),
    user: named.nullable(),
    scheduler_clusters: z.array(named),
    seed_peer_clusters: z.array(named),
    progress: z
      .object({
        total: z.int(),
        pending: z.int(),
        running: z.int(),
        succeeded: z.int(),
        failed: z.int(),
        nodes: z.array(
          z.object({
            host_name: z.string(),
            ip: z.string(),
            host_type: z.string(),
            scheduler_cluster_id: z.int(),
            blobs: z.array(blobSchema),
          }),
        ),
      })
      .optional(),
  })
  .meta({ id: 'Job' });

const ids = z
  .array(reference)
  .max(1_000)
  .nullish()
  .transform((value) => value ?? []);
const createBody = z
  .object({
    bio: bio.optional(),
    type: z.enum(jobTypes),
    args: z
      .looseObject({})
      .nullish()
      .transform((value) => value ?? {}),
    user_id: z.int().min(0).nullish(),
    scheduler_cluster_ids: ids,
    seed_peer_cluster_ids: ids,
  })
  .meta({ id: 'NewJob' });

/** Results that are returned at once instead of being polled for. */
const distributionSchema = z.object({ image: loose, peers: z.array(loose) }).meta({ id: 'ImageDistribution' });

export function jobRoutes(app: RestApp, parts: JobRouteParts, access: RouteAccess): void {
  const { jobs, tasks } = parts;
  const config = { access };
  const one = async (id: number) => (await present(parts, [await jobs.store.get(id)]))[0] as z.output<typeof jobSchema>;
  /** Throws NOT_FOUND for what the caller does not see. */
  const seen = async (request: FastifyRequest & { readonly params: { readonly id: number } }): Promise<Job> =>
    jobs.store.get(request.params.id, await jobSight(parts.access, callerOf(request)));

  app.post(
    '/jobs',
    {
      config,
      schema: {
        summary: 'Ask for a job',
        body: createBody,
        response: { 200: z.union([jobSchema, distributionSchema, z.string()]) },
      },
    },
    async (request, reply) => {
      const { type, args, scheduler_cluster_ids: schedulerClusterIds } = request.body;
      const job = await jobs.create({
        type,
        bio: request.body.bio ?? '',
        args: await fullArgs(parts, type, checkedArgs(type, args)),
        // The caller owns the job, whatever the body says.
        userId: callerOf(request).userId,
        schedulerClusterIds,
      });
      const done = await settled(jobs, job, type);
      // A string would be sent unquoted, which is not JSON.
      if (done.type === 'sync_peers') return reply.type('application/json').send(JSON.stringify('OK'));
      return answer(done);
    },
  );
  async function answer(job: Job) {
    if (job.type === 'get_image_distribution' && job.state === 'SUCCESS')
      return parseJson(job.task_result, { image: {}, peers: [] });
    return one(job.id);
  }

  app.get(
    '/jobs/:id',
    { config, schema: { summary: 'One job, with its progress', params: idParams, response: { 200: jobSchema } } },
    async (request) => {
      const { id } = await seen(request);
      const [job, units, counts] = await Promise.all([one(id), tasks.list(id, maxShownTasks), tasks.counts(id)]);
      const { PENDING: pending, RUNNING: running, SUCCESS: succeeded, FAILURE: failed } = counts;
      return {
        ...job,
        progress: {
          total: pending + running + succeeded + failed,
          pending,
          running,
          succeeded,
          failed,
          nodes: byNode(units),
        },
      };
    },
  );
  app.get(
    '/jobs',
    {
      config,
      schema: {
        summary: 'List jobs, newest first',
        querystring: z.object({
          ...pageQuery,
          type: z.enum(jobTypes).optional(),
          state: z.enum([...jobStates, 'RECEIVED', 'STARTED', 'RETRY']).optional(),
          user_id: idSchema.optional(),
        }),
        response: { 200: z.array(jobSchema) },
      },
    },
    async (request, reply) => {
      const { page, per_page, ...filter } = request.query;
      const bounds = toPage({ page, per_page });
      const sight = await jobSight(parts.access, callerOf(request));
      const { rows, total } = await jobs.store.list(filter, bounds, sight);
      setPageHeaders(request, reply, bounds, total);
      return present(parts, rows);
    },
  );
  app.patch(
    '/jobs/:id',
    {
      config,
      schema: {
        summary: 'Change a job',
        params: idParams,
        body: z.object({ bio: bio.optional(), user_id: reference.optional() }),
        response: { 200: jobSchema },
      },
    },
    async (request) => {
      const { id } = await seen(request);
      await jobs.store.update(id, request.body);
      return one(id);
    },
  );
  app.delete(
    '/jobs/:id',
    { config, schema: { summary: 'Delete a job; a running one stops', params: idParams, response: { 200: nothing } } },
    async (request, reply) => {
      const { id } = await seen(request);
      await jobs.store.delete(id);
      return sendNothing(reply);
    },
  );
  app.post(
    '/jobs/:id/cancel',
    { config, schema: { summary: 'Stop a job', params: idParams, response: { 200: jobSchema } } },
    async (request) => {
      const { id } = await seen(request);
      await jobs.store.cancel(id);
      return one(id);
    },
  );
  app.post(
    '/jobs/:id/retry',
    { config, schema: { summary: 'Run what failed again', params: idParams, response: { 200: jobSchema } } },
    async (request) => {
      const { id } = await seen(request);
      await jobs.store.retry(id);
      return one(id);
    },
  );
}

/** Jobs of rules are for those who may read rules, and by a token that may be used for it. */
export async function jobSight({ authorizer }: Access, { userId, scopes }: Caller): Promise<JobSight> {
  const rulesScope: TokenScope = 'cluster';
  const inScope = scopes.length === 0 || scopes.includes(rulesScope);
  return { ofRules: inScope && (await authorizer.allows(userId, 'replication-rules', 'read')) };
}

/** Throws a zod error, answered with 422, when the arguments do not fit the type. */
export function checkedArgs(type: JobType, args: Record<string, unknown>): Record<string, unknown> {
  const result = jobArgs[type].safeParse(args);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DragonflyError('INVALID_ARGUMENT', `args.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`);
}

/** Adds values that are recorded but not requested: the age of what is deleted, and the batch size. */
async function fullArgs({ database }: JobRouteParts, type: JobType, args: Record<string, unknown>) {
  return type === 'gc' ? { ...args, ...(await collectBounds(database, collectArgs.parse(args).type)) } : args;
}

async function settled(jobs: JobService, job: Job, type: JobType): Promise<Job> {
  const atOnce = type === 'sync_peers' || type === 'gc' || type === 'get_image_distribution';
  if (!atOnce) return job;
  const ended = await jobs.finished(job.id, syncJobTimeoutMs);
  if (ended.state === 'SUCCESS' || type === 'gc') return ended;
  const result = parseJson<{ job_states?: { error?: string }[] }>(ended.task_result, {});
  throw new DragonflyError('UNAVAILABLE', result.job_states?.[0]?.error ?? 'the job failed');
}

async function present({ database }: JobRouteParts, rows: readonly Job[]): Promise<z.output<typeof jobSchema>[]> {
  const { db } = database;
  const clusterIds = [...new Set(rows.flatMap((job) => job.schedulerClusterIds))];
  const userIds = [...new Set(rows.map((job) => job.user_id))];
  const [clusters, users] = await Promise.all([
    clusterIds.length === 0
      ? []
      : db.selectFrom('scheduler_cluster').select(['id', 'name']).where('id', 'in', clusterIds).execute(),
    userIds.length === 0 ? [] : db.selectFrom('user').select(['id', 'name']).where('id', 'in', userIds).execute(),
  ]);
  const clusterById = new Map(clusters.map((cluster) => [cluster.id, cluster]));
  const userById = new Map(users.map((user) => [user.id, user]));
  return rows.map((job) => ({
    ...stamps(job),
    task_id: job.task_id,
    bio: job.bio,
    type: job.type,
    state: job.state as (typeof jobStates)[number],
    args: parseJson(job.args, {}),
    result: job.task_result === null ? null : parseJson(job.task_result, {}),
    user_id: job.user_id,
    user: userById.get(job.user_id) ?? null,
    scheduler_clusters: job.schedulerClusterIds.flatMap((id) => clusterById.get(id) ?? []),
    seed_peer_clusters: [],
  }));
}

function byNode(units: readonly JobTask[]) {
  const groups = Map.groupBy(units, (unit) => `${unit.scheduler_cluster_id} ${unit.host_id}`);
  return [...groups.values()].flatMap((ofNode) => {
    const [first] = ofNode;
    if (!first) return [];
    const blobs = ofNode.map((unit) => ({
      url: unit.url,
      task_id: unit.task_id,
      state: unit.state,
      finished_bytes: unit.completed_length,
      content_length: unit.content_length,
      verified: unit.verified === 1,
      attempt: unit.attempt,
      error: unit.error,
    }));
    return [
      {
        host_name: first.hostname,
        ip: first.ip,
        host_type: first.host_type,
        scheduler_cluster_id: first.scheduler_cluster_id,
        blobs,
      },
    ];
  });
}
