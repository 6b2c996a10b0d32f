import type { DragonflyError } from '../../core/errors.ts';
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
