/** How content is cut into pieces: all have the same length except the last. The rule is the original's, so both agree. */
import assert from 'node:assert/strict';

export const minPieceLengthBytes = 4 * 2 ** 20;
export const maxPieceLengthBytes = 64 * 2 ** 20;
const targetPieceCount = 500;

/** Next power of two of contentLength / 500, clamped to 4..64 MiB. */
export function defaultPieceLength(contentLengthBytes: number): number {
  const wanted = Math.floor(contentLengthBytes / targetPieceCount);
  let length = minPieceLengthBytes;
  while (length < wanted && length < maxPieceLengthBytes) length *= 2;
  return length;
}

export interface PieceLayout {
  readonly contentLengthBytes: number;
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
}

export interface PieceSpan {
  readonly number: number;
  readonly offset: number;
  readonly length: number;
}

export function pieceLayout(
  contentLengthBytes: number,
  pieceLengthBytes = defaultPieceLength(contentLengthBytes),
): PieceLayout {
  assert(Number.isSafeInteger(contentLengthBytes) && contentLengthBytes >= 0, 'content length must be a safe integer');
  assert(Number.isSafeInteger(pieceLengthBytes) && pieceLengthBytes > 0, 'piece length must be positive');
  return { contentLengthBytes, pieceLengthBytes, pieceCount: Math.ceil(contentLengthBytes / pieceLengthBytes) };
}

export function pieceSpan(layout: PieceLayout, number: number): PieceSpan {
  assert(
    Number.isInteger(number) && number >= 0 && number < layout.pieceCount,
    `piece ${number} is outside the content`,
  );
  const offset = number * layout.pieceLengthBytes;
  return { number, offset, length: Math.min(layout.pieceLengthBytes, layout.contentLengthBytes - offset) };
}

/** Numbers of the first and last piece that overlap `length` bytes from `offset`; length must be positive. */
export function piecesOfRange(layout: PieceLayout, offset: number, length: number): { first: number; last: number } {
  assert(length > 0 && offset >= 0 && offset + length <= layout.contentLengthBytes, 'range outside the content');
  return {
    first: Math.floor(offset / layout.pieceLengthBytes),
    last: Math.floor((offset + length - 1) / layout.pieceLengthBytes),
  };
}
