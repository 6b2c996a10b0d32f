/** The range that a reader waits for, in the protocol's form. */
import type { RangeSpec } from '../../core/byte-range.ts';
import type { ReaderRange } from '../../../gen/scheduler/v2/scheduler.ts';

export function readerMessage(range: RangeSpec): ReaderRange {
  if ('suffix' in range) return { start: 0, length: 0, suffix: range.suffix };
  const { first, last } = range;
  return { start: first, length: last === undefined ? 0 : last - first + 1, suffix: 0 };
}

export function toRangeSpec({ start, length, suffix }: ReaderRange): RangeSpec {
  if (suffix > 0) return { suffix };
  return { first: start, last: length === 0 ? undefined : start + length - 1 };
}
