import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type Job = Schemas['Job'];
export type JobState = Job['state'];
export type JobProgress = NonNullable<Job['progress']>;
export type JobNode = JobProgress['nodes'][number];
export type JobBlob = JobNode['blobs'][number];
export type PreheatEstimate = Schemas['PreheatEstimate'];
export type NewJob = paths['/api/v1/jobs']['post']['requestBody']['content']['application/json'];
export type JobType = NewJob['type'];

type ListQuery = NonNullable<paths['/api/v1/jobs']['get']['parameters']['query']>;

export const jobTypes = [
  'preheat',
  'get_task',
  'delete_task',
  'sync_peers',
  'get_image_distribution',
  'gc',
] as const satisfies JobType[];
export const jobStates = ['PENDING', 'SUCCESS', 'FAILURE', 'CANCELLED'] as const satisfies JobState[];

export function jobsQuery(query: ListQuery) {
  return queryOptions({
    queryKey: ['jobs', 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/jobs', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

/** Work in progress is asked for again when no events tell of it. */
const progressIntervalMs = 2_000;

export function jobQuery(id: number) {
  return queryOptions({
    queryKey: ['jobs', 'one', id],
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/jobs/{id}', { params: { path: { id } }, signal })),
    refetchInterval: ({ state: { data } }) => (data?.state === 'PENDING' ? progressIntervalMs : false),
  });
}

/** Asks for a job that is worked on in the background. */
export async function createJob(body: NewJob): Promise<Job> {
  const job = await dataOf(api.POST('/api/v1/jobs', { body }));
  if (typeof job === 'string' || !('state' in job)) throw new TypeError(`a job of type ${body.type} has no record`);
  return job;
}

/** What the preheat would cost; nothing is fetched by it. */
export function estimatePreheat({ args, scheduler_cluster_ids: ids }: NewJob): Promise<PreheatEstimate> {
  return dataOf(api.POST('/api/v1/jobs/estimate', { body: { args: args ?? {}, scheduler_cluster_ids: ids } }));
}

/** A job that has not ended is under way, whatever its parts wait for. */
export function shownState({ state }: Job): string {
  return state === 'PENDING' ? 'RUNNING' : state;
}

/** What a job is about, in one line. */
export function subjectOf({ args }: Job): string {
  const {
    url,
    urls,
    task_id: taskId,
    type,
  } = args as { url?: unknown; urls?: unknown; task_id?: unknown; type?: unknown };
  const first = [url, Array.isArray(urls) ? (urls[0] as unknown) : undefined, taskId, type].find(
    (value) => typeof value === 'string',
  );
  const more = Array.isArray(urls) && urls.length > 1 ? ` +${urls.length - 1}` : '';
  return typeof first === 'string' ? `${first}${more}` : '';
}

/** Of this list of types; a type that is not in it is from a newer manager. */
export function typeOf(job: Job): (typeof jobTypes)[number] {
  return jobTypes.find((type) => type === job.type) ?? 'preheat';
}
