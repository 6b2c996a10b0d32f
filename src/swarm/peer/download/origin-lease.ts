/** The right to fetch from the origin. */
import type { RangeSpec } from '../../../core/byte-range.ts';

/** Whole pieces and, if a reader waits, the bytes that come before anything else. */
export interface OriginLease {
  /** Empty from a scheduler that does not know leases: it then covers everything missing. */
  readonly id: string;
  /** First piece, and one past the last; undefined for "to the end of the content". */
  readonly first: number;
  readonly end: number | undefined;
  /** Bytes that a reader waits for. While the layout is unknown, they alone decide what is requested. */
  readonly readerRange?: RangeSpec | undefined;
  /** Covers the reader's bytes but no pieces: the pieces come from elsewhere. */
  readonly readerOnly?: boolean | undefined;
}

/** Prefix of the ids of leases that a node grants itself for a reader. */
export const ownLeasePrefix = 'reader-';

/** For a node that goes to the origin without the scheduler. */
export const wholeTask: OriginLease = { id: '', first: 0, end: undefined };
