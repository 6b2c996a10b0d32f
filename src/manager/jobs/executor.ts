import type { Logger } from '../../core/process/logger.ts';
import type { Job } from './job-store.ts';
import type { JobState } from './job-types.ts';
import type { JobTasks } from './job-tasks.ts';

/** What an executor works with. */
export interface JobContext {
  readonly job: Job;
  /** With secrets. */
  readonly args: Record<string, unknown>;
  readonly tasks: JobTasks;
  readonly logger: Logger;
  /** Aborts on cancellation, at the job's deadline, on shutdown, and when another replica has taken over the job. */
  readonly signal: AbortSignal;
  /** Notifies those who watch the job. */
  readonly announce: () => Promise<void>;
  /** Stores intermediate findings for a replica that takes the job over. */
  readonly amend: (more: Record<string, unknown>) => Promise<void>;
}

export interface JobOutcome {
  readonly state: Extract<JobState, 'SUCCESS' | 'FAILURE'>;
  readonly result: object;
}

/** Runs a job, or continues one that another replica began. Everything it does must be repeatable. */
export type JobExecutor = (context: JobContext) => Promise<JobOutcome>;
