/** `/preheats`, as Harbor before 2.12 calls it. The caller needs a personal access token, which the original did not require. */
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import type { Access } from '../../access/access.ts';
import type { JobService } from '../../jobs/job-service.ts';
import type { Job } from '../../jobs/job-store.ts';
import { preheatArgs } from '../../jobs/job-types.ts';
import { parseJson } from '../../clusters/types.ts';
import { callerOf, type RestApp } from '../request.ts';
import { idParams, time } from '../schemas.ts';
import { jobSight } from './jobs.ts';

const body = z.object({
  type: z.enum(['image', 'file']),
  url: z.string().max(8192),
  filter: z.string().max(8192).optional(),
  filteredQueryParams: z.string().max(8192).optional(),
  headers: z.record(z.string(), z.string()).nullish(),
});
const created = z.object({ id: z.string() });
const state = z.object({
  id: z.string(),
  status: z.string(),
  startTime: z.string(),
  finishTime: z.string(),
  errorMsg: z.string(),
});

export function legacyPreheatRoutes(app: RestApp, jobs: JobService, access: Access): void {
  const config = { access: { kind: 'token', scope: 'job', object: 'jobs' } } as const;
  app.post(
    '/preheats',
    { config, schema: { summary: 'Preheat, as older clients ask for it', body, response: { 200: created } } },
    async (request) => {
      const { type, url, headers, filter, filteredQueryParams } = request.body;
      const args = preheatArgs.safeParse({
        type,
        url,
        headers,
        filtered_query_params: filteredQueryParams ?? filter ?? '',
      });
      if (!args.success) throw new DragonflyError('INVALID_ARGUMENT', args.error.issues[0]?.message ?? 'not valid');
      const job = await jobs.create({
        type: 'preheat',
        bio: '',
        args: args.data,
        userId: callerOf(request).userId,
        schedulerClusterIds: [],
      });
      return { id: String(job.id) };
    },
  );
  app.get(
    '/preheats/:id',
    { config, schema: { summary: 'State of a preheat', params: idParams, response: { 200: state } } },
    async (request) => {
      const job = await jobs.store.get(request.params.id, await jobSight(access, callerOf(request)));
      const ended = job.state !== 'PENDING';
      return {
        id: String(job.id),
        status: statusOf(job),
        startTime: time(job.created_at),
        finishTime: ended ? time(job.updated_at) : '',
        errorMsg: parseJson<{ job_states?: { error?: string }[] }>(job.task_result, {}).job_states?.[0]?.error ?? '',
      };
    },
  );
}

function statusOf({ state: jobState, lease_owner: owner }: Job): string {
  if (jobState === 'SUCCESS') return 'SUCCESS';
  if (jobState !== 'PENDING') return 'FAILED';
  return owner === '' ? 'WAITING' : 'RUNNING';
}
