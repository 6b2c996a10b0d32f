/** What a fetch from the origin is for, and which bytes of it are still missing. */
import { resolveRange } from '../../../core/byte-range.ts';
import { minPieceLengthBytes, type PieceLayout } from '../../../core/piece-layout.ts';
import type { OriginLease } from '../../../swarm/peer/download/origin-lease.ts';
import type { StoredTask } from '../../storage/stored-task.ts';

/** What a lease, or a part of one, is for. */
export interface OriginRun extends Omit<OriginLease, 'id'> {
  /** The pieces are not known yet: the requested bytes are fetched, up to where the reader's last piece may end. */
  readonly unresolved?: boolean | undefined;
}

/** Bytes `from` … `to` − 1 of the content. */
export interface ByteSpan {
  readonly from: number;
  readonly to: number;
}

/** A reader that waits this close to the start of a piece gets the piece from its start: an extra request would cost more than the wait. */
const nearStartBytes = 256 * 1024;

/** In the order in which they are fetched: from the reader's first byte to the end, then what lies before it. */
export function spansOf(
  { first, end, readerRange, readerOnly, unresolved }: OriginRun,
  layout: PieceLayout,
): readonly ByteSpan[] {
  const { contentLengthBytes, pieceLengthBytes, pieceCount } = layout;
  const run = {
    from: first * pieceLengthBytes,
    to: Math.min(Math.min(end ?? pieceCount, pieceCount) * pieceLengthBytes, contentLengthBytes),
  };
  const read = readerRange && resolveRange(readerRange, contentLengthBytes);
  if (!read) return readerOnly === true ? [] : [run];
  const readEnd = read.start + read.length;
  if (readerOnly === true) return [{ from: read.start, to: readEnd }];
  if (unresolved === true) return [{ from: read.start, to: Math.min(whereAPieceMayEnd(readEnd), contentLengthBytes) }];
  const from = read.start > run.from && read.start - run.from <= nearStartBytes ? run.from : read.start;
  const ahead = { from, to: Math.max(run.to, readEnd) };
  return from > run.from ? [ahead, { from: run.from, to: Math.min(from, run.to) }] : [ahead];
}

/** The first position from here on at which a piece is complete, however the content is cut. */
export function whereAPieceMayEnd(position: number): number {
  return Math.ceil(position / minPieceLengthBytes) * minPieceLengthBytes;
}

/** How many bytes come before this one for a stream at `position`; undefined when it does not come. */
export function bytesAhead(spans: readonly ByteSpan[], position: number, target: number): number | undefined {
  let bytes = 0;
  let found = false;
  for (const { from, to } of spans) {
    found ||= position >= from && position <= to;
    if (!found) continue;
    const start = position >= from && position <= to ? position : from;
    if (target >= start && target < to) return bytes + target - start;
    bytes += to - start;
  }
  return undefined;
}

/** The first byte of the span that is neither on disk nor being written by a single writer. */
export function firstMissingByte({ pieces, claims }: StoredTask, pieceLengthBytes: number, span: ByteSpan) {
  for (let at = span.from; at < span.to;) {
    const number = Math.floor(at / pieceLengthBytes);
    const start = number * pieceLengthBytes;
    if (pieces.has(number) || (claims.has(number) && !claims.isPatched(number))) at = start + pieceLengthBytes;
    else {
      const readable = claims.incoming(number)?.readableEnd(at - start) ?? 0;
      if (start + readable <= at) return at;
      at = start + readable;
    }
  }
  return undefined;
}

/** Whether every byte of the span is on disk. */
export function isOnDisk({ pieces, claims }: StoredTask, pieceLengthBytes: number, { from, to }: ByteSpan): boolean {
  for (let at = from; at < to;) {
    const number = Math.floor(at / pieceLengthBytes);
    const start = number * pieceLengthBytes;
    const patched = claims.isPatched(number) ? claims.incoming(number)?.readableEnd(at - start) : undefined;
    const end = pieces.has(number) ? pieceLengthBytes : (patched ?? 0);
    if (start + end <= at) return false;
    at = start + end;
  }
  return true;
}
