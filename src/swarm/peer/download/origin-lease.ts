/** The right to fetch from the origin. */
import type { RangeSpec } from '../../../core/byte-range.ts';

/** Whole pieces and, if a reader waits, the bytes it waits for before anything else. */
export interface OriginLease {
  /** Empty when the scheduler knows no leases: then it is for everything that is missing. */
  readonly id: string;
  /** First piece, and one past the last; undefined for "to the end of the content". */
  readonly first: number;
  readonly end: number | undefined;
  /** Bytes a reader waits for. They alone decide what is asked for while nobody knows how the content is cut. */
  readonly readerRange?: RangeSpec | undefined;
  /** No pieces, only the reader's bytes: the pieces they lie in come from elsewhere. */
  readonly readerOnly?: boolean | undefined;
}

/** Ids of leases that a node grants itself for a reader begin with this. */
export const ownLeasePrefix = 'reader-';

/** For a node that goes to the origin without the scheduler's word. */
export const wholeTask: OriginLease = { id: '', first: 0, end: undefined };
