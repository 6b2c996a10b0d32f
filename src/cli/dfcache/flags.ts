/** What the sub-commands of dfcache share. */
import type { Duration } from '../../../gen/google/protobuf/duration.ts';
import { isTaskId } from '../../core/ids.ts';
import { DragonflyError } from '../../core/errors.ts';
import { parseTimeoutMs } from '../timeout-flag.ts';

export interface CommonFlags {
  readonly endpoint?: string;
  readonly progress: boolean;
}

/** Throws INVALID_ARGUMENT. */
export function requireTaskId(id: string): string {
  if (isTaskId(id)) return id;
  throw new DragonflyError('INVALID_ARGUMENT', `"${id}" is no id of a task`, {
    hint: 'Write the 64 hexadecimal digits that "dfcache import" has printed.',
  });
}

/** Undefined for no timeout. Throws INVALID_ARGUMENT. */
export function timeoutOf(text: string): Duration | undefined {
  const ms = parseTimeoutMs(text);
  return ms === undefined ? undefined : toDuration(ms);
}

export function toDuration(ms: number): Duration {
  return { seconds: Math.ceil(ms / 1000), nanos: 0 };
}
