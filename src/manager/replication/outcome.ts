/** The result of a copy, read from the preheat that made it. */
import { DragonflyError } from '../../core/errors.ts';
import { parseJson } from '../clusters/types.ts';
import type { Job, JobStore } from '../jobs/job-store.ts';
import type { JobTasks } from '../jobs/job-tasks.ts';
import type { Item } from '../jobs/preheat.ts';

export interface CopyOutcome {
  /** The digest of the manifest that the tag named when it was copied. */
  readonly digest: string;
  readonly bytes: number;
  /** True when each node has reported that it holds all of it. */
  readonly proven: boolean;
  readonly error?: string | undefined;
}

const nothing = { digest: '', bytes: 0, proven: false };

/** Undefined while it is running. */
export async function outcomeOf(
  { job_id: id }: { readonly job_id: number },
  { jobs, jobTasks }: { readonly jobs: JobStore; readonly jobTasks: JobTasks },
): Promise<CopyOutcome | undefined> {
  if (id === 0) return { ...nothing, error: 'the manager stopped while it was at it' };
  const job = await find(jobs, id);
  if (!job) return { ...nothing, error: `its job ${id} was deleted` };
  if (job.state === 'PENDING') return undefined;
  const tasks = await jobTasks.list(id);
  const bytes = tasks.reduce((sum, task) => sum + task.completed_length, 0);
  if (job.state !== 'SUCCESS') return { ...nothing, bytes, error: errorOf(job) };
  const args = jobs.args(job);
  const items = (args['items'] ?? []) as readonly Item[];
  const commit = args['commit'] as string | undefined;
  const digest = commit ?? items.find((item) => item.manifest === true && item.digest !== undefined)?.digest;
  if (digest === undefined) return { ...nothing, bytes, error: 'the source named no digest' };
  return { digest, bytes, proven: tasks.every((task) => task.verified === 1) };
}

async function find(jobs: JobStore, id: number): Promise<Job | undefined> {
  try {
    return await jobs.get(id);
  } catch (error) {
    if (error instanceof DragonflyError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

function errorOf({ state, task_result: text }: Job): string {
  const result = parseJson<{ job_states?: { error?: string }[] }>(text, {});
  const told = result.job_states?.map(({ error }) => error).find(Boolean);
  return told ?? (state === 'CANCELLED' ? 'the job was cancelled' : 'the job failed');
}
