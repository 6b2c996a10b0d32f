/** The range that a request for a part makes a download bring first. */
import type { RangeSpec } from '../../core/byte-range.ts';
import { minPieceLengthBytes } from '../../core/piece-layout.ts';
import type { DownloadRequest } from './open-task.ts';

/** A reader of whole pieces gets its range widened to piece edges, which are at multiples of the smallest piece. */
export function readerRangeOf({ range, wholePieces, prefetch }: DownloadRequest): RangeSpec | undefined {
  if (!range || ('first' in range && range.first === 0 && range.last === undefined && prefetch !== true))
    return undefined;
  if (wholePieces !== true || 'suffix' in range) return { ...range };
  const edge = (bytes: number): number => Math.floor(bytes / minPieceLengthBytes) * minPieceLengthBytes;
  const last = range.last === undefined ? undefined : edge(range.last) + minPieceLengthBytes - 1;
  return { first: edge(range.first), last };
}
