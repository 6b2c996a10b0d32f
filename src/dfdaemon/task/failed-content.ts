import { DragonflyError } from '../../core/errors.ts';
import type { StoredTask } from '../storage/stored-task.ts';

/**
 * What becomes of the content of a download that has failed: what is not what was asked for must never be served again, what
 * was finished before for others stays theirs.
 */
export function settleFailed(stored: StoredTask, { code }: DragonflyError, discard: boolean): void {
  if (stored.removed || stored.state === 'finished') return;
  if (discard || code === 'DIGEST_MISMATCH' || code === 'SOURCE_CHANGED') stored.restart();
  else stored.fail();
}

/** The failure of a node that may not go to the origin. Not UNAVAILABLE: on that code tools fall back to the origin, which is forbidden here. */
export function starved(waitedMs: number): DragonflyError {
  return new DragonflyError(
    'DEADLINE_EXCEEDED',
    `neither a scheduler nor another node has given anything for ${Math.round(waitedMs)} ms`,
    { hint: 'Check that schedulers and peers can be reached, or allow this node to go to the origin.' },
  );
}
