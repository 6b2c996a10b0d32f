/**
 * The messages in the job queue of the original's manager, whose library is called machinery: a job as it is stored in
 * the list of a scheduler, and its state as the manager reads it under the job's id. Field names are those of the
 * library.
 */
import { z } from 'zod';

export interface QueuedJob {
  readonly id: string;
  readonly name: string;
  /** As JSON; empty for a job without a request. */
  readonly request: string;
}

const queuedJob = z.object({
  UUID: z.string().min(1),
  Name: z.string(),
  Args: z.array(z.object({ Value: z.unknown() })).nullish(),
});

/** Undefined for a message that is not a job. */
export function parseQueuedJob(message: string): QueuedJob | undefined {
  const { data } = json(queuedJob).safeParse(message);
  if (!data) return undefined;
  const value = data.Args?.[0]?.Value;
  return { id: data.UUID, name: data.Name, request: typeof value === 'string' ? value : '' };
}

export type JobProgress =
  | { readonly state: 'STARTED' }
  | { readonly state: 'SUCCESS'; readonly result: unknown }
  | { readonly state: 'FAILURE'; readonly error: string };

const writtenState = z.object({ TaskName: z.string(), CreatedAt: z.string() });

/** @param before the state so far, written by the manager when the job began. */
export function jobState(job: QueuedJob, progress: JobProgress, before: string | undefined): string {
  const { data } = json(writtenState).safeParse(before);
  const { state } = progress;
  return JSON.stringify({
    TaskUUID: job.id,
    TaskName: data?.TaskName ?? job.name,
    State: state,
    Results: state === 'SUCCESS' ? [{ Type: 'string', Value: JSON.stringify(progress.result) }] : null,
    Error: state === 'FAILURE' ? progress.error : '',
    CreatedAt: data?.CreatedAt ?? new Date().toISOString(),
    TTL: 0,
  });
}

/** A string that contains JSON of the schema. */
export function json<S extends z.ZodType>(schema: S) {
  const parsed = z.string().transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch (error) {
      context.addIssue((error as Error).message);
      return z.NEVER;
    }
  });
  return parsed.pipe(schema);
}
