/** An origin lease as the scheduler sends it. */
import type { OriginLease as LeaseMessage } from '../../../../gen/scheduler/v2/scheduler.ts';
import { toRangeSpec } from '../../../rpc/fields/reader-range.ts';
import type { OriginLease } from '../../../swarm/peer/download/origin-lease.ts';

export function toLease({ id, firstPiece: first, pieceCount, reader, readerOnly }: LeaseMessage): OriginLease {
  const end = pieceCount > 0 ? first + pieceCount : undefined;
  if (!reader) return { id, first, end };
  return { id, first, end: readerOnly ? first : end, readerRange: toRangeSpec(reader), readerOnly };
}
