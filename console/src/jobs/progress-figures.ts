/** Figures of a job's progress. */
import type { JobBlob, JobNode, JobProgress } from './job-queries.ts';

export interface NodeSummary {
  readonly held: number;
  readonly wanted: number;
  readonly verified: number;
  readonly failed: number;
  readonly finished: number;
}

export function summaryOf(blobs: readonly JobBlob[]): NodeSummary {
  return {
    held: blobs.reduce((sum, blob) => sum + blob.finished_bytes, 0),
    wanted: blobs.reduce((sum, blob) => sum + Math.max(0, blob.content_length), 0),
    verified: blobs.filter((blob) => blob.verified).length,
    failed: blobs.filter((blob) => blob.state === 'FAILURE').length,
    finished: blobs.filter((blob) => blob.state === 'SUCCESS').length,
  };
}

/** Which share is done, and which is given up. What is under way counts by the bytes that are there. */
export function sharesOf({ total, succeeded, failed, nodes }: JobProgress): { done: number; failed: number } {
  if (total === 0) return { done: 0, failed: 0 };
  const begun = nodes
    .flatMap(({ blobs }) => blobs)
    .filter(({ state, content_length: length }) => state === 'RUNNING' && length > 0)
    .reduce((sum, { finished_bytes: held, content_length: length }) => sum + Math.min(1, held / length), 0);
  return { done: Math.min(1, (succeeded + begun) / total), failed: failed / total };
}

export function byUrgency(one: JobNode, other: JobNode): number {
  return urgencyOf(one) - urgencyOf(other) || one.host_name.localeCompare(other.host_name, 'en', { numeric: true });
}

function urgencyOf({ blobs }: JobNode): number {
  const { failed, finished } = summaryOf(blobs);
  if (failed > 0) return 0;
  return finished < blobs.length ? 1 : 2;
}
