/** Content that was put together beside the store, before it becomes a task all at once. */
import { lstatSync } from 'node:fs';
import type { PieceLayout } from '../../core/piece-layout.ts';
import { pieceSpan } from '../../core/piece-layout.ts';
import { stampOf } from './content-file.ts';
import type { PieceRecord, TaskRow } from './metadata.ts';

export interface StagedContent {
  /** In the store's directory for what comes in. */
  readonly path: string;
  readonly layout: PieceLayout;
  /** Of every piece, in order. */
  readonly crcs: readonly number[];
}

/** What the metadata records of it. @param path where its file lies now. */
export function wholeTask(
  row: TaskRow,
  { layout, crcs }: StagedContent,
  path: string,
): { readonly row: TaskRow; readonly pieces: PieceRecord[] } {
  const createdMs = row.createdMs;
  const pieces = crcs.map((crc32, number): PieceRecord => {
    const span = pieceSpan(layout, number);
    return { ...span, crc32, source: 'origin', costMs: 0, createdMs };
  });
  const { contentLengthBytes: contentLength, pieceLengthBytes: pieceLength } = layout;
  const stamp = stampOf(lstatSync(path, { bigint: true })).text;
  return { row: { ...row, contentLength, pieceLength, state: 'finished', finishedMs: createdMs, stamp }, pieces };
}
