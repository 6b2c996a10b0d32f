import { DragonflyError } from '../../core/errors.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';

/**
 * What becomes of the content of a failed download: content that is not what was requested must never be served again,
 * while content that others completed before stays.
 */
export function settleFailed(stored: StoredTask, { code }: DragonflyError, discard: boolean): void {
  if (stored.removed || stored.state === 'finished') return;
  if (discard || code === 'DIGEST_MISMATCH' || code === 'SOURCE_CHANGED') stored.restart();
  else stored.fail();
}

/**
 * The failure of a node that may not go to the origin. Not UNAVAILABLE, because tools fall back to the origin on that code, which
 * is forbidden here.
 */
export function starved(waitedMs: number): DragonflyError {
  return new DragonflyError(
    'DEADLINE_EXCEEDED',
    `neither a scheduler nor another node has given anything for ${Math.round(waitedMs)} ms`,
    { hint: 'Check that schedulers and peers can be reached, or allow this node to go to the origin.' },
  );
}

/**
 * A task of which nothing came leaves nothing behind. It would take the place of content: whoever asks for thousands of things that are not
 * there could clear a store by it.
 */
export function forgetEmpty(store: TaskStore, stored: StoredTask): void {
  if (stored.removed || stored.inUse || stored.persistent || stored.state === 'finished' || stored.pieces.count > 0)
    return;
  store.remove(stored.id, { quietly: true });
}
