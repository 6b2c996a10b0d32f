/** The right to fetch from the origin, as a download carries it out. */
import type { OriginLease as LeaseMessage } from '../../../../gen/scheduler/v2/scheduler.ts';
import { readerRange } from '../../../rpc/fields/reader-range.ts';
import type { OriginRun } from './origin-run.ts';

export interface OriginLease extends OriginRun {
  /** Empty when the scheduler knows no leases: then the run is everything that is missing. */
  readonly id: string;
}

/** For who goes to the origin without the scheduler's word. */
export const wholeTask: OriginLease = { id: '', first: 0, end: undefined };

export function toLease({ id, firstPiece: first, pieceCount, reader, readerOnly }: LeaseMessage): OriginLease {
  const end = pieceCount > 0 ? first + pieceCount : undefined;
  if (!reader) return { id, first, end };
  return { id, first, end: readerOnly ? first : end, reader: readerRange(reader), readerOnly };
}
