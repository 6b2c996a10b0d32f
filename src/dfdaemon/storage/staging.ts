/** Content that was assembled outside the store, before it becomes a task in one step. */
import { lstatSync } from 'node:fs';
import type { PieceLayout } from '../../core/piece-layout.ts';
import { pieceSpan } from '../../core/piece-layout.ts';
import { stampOf } from './content-file.ts';
import type { ProvenContent } from './foreign-content.ts';
import type { PieceRecord, TaskRow } from './metadata.ts';
import type { KeptRecord } from './task-record.ts';

export interface StagedContent {
  /** In the store's incoming directory. */
  readonly path: string;
  readonly layout: PieceLayout;
  /** CRC-32 of every piece, in order. */
  readonly crcs: readonly number[];
}

export interface Adoption {
  readonly staged: StagedContent;
  readonly kept: KeptRecord;
}

export interface Taking {
  readonly staged: StagedContent;
  /** Only for callers that have shown that the origin gives it to them. */
  readonly restricted: boolean;
  /** The header that the origin would send with the content. */
  readonly responseHeader?: Readonly<Record<string, string>> | undefined;
}

export function takenRow(row: TaskRow, { restricted, responseHeader }: Taking): TaskRow {
  const header = responseHeader ? JSON.stringify(responseHeader) : null;
  return { ...row, restricted: restricted ? 1 : 0, responseHeader: header };
}

export function stagedOf({ path, layout, pieces }: ProvenContent): StagedContent {
  return { path, layout, crcs: pieces.map(({ crc32 }) => crc32) };
}

/** The task's metadata. @param path where its file is now. */
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
