/** Compares a request with running downloads and with what is held. */
import { resolveRange } from '../../core/byte-range.ts';
import { toDragonflyError } from '../../core/errors.ts';
import { piecesOfRange } from '../../core/piece-layout.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { DownloadRequest } from './open-task.ts';

/** Whether the origin would see the same request. */
export function sameRequest(one: DownloadRequest, other: DownloadRequest): boolean {
  const visible = ({ url, header, objectStorage, hdfs, hub }: DownloadRequest): string =>
    JSON.stringify([url, Object.entries(header).map(String).sort(), objectStorage, hdfs, hub]);
  return visible(one) === visible(other);
}

/** Whether the failure of a download says nothing about another request that has joined it. */
export function concernsOthers(joined: DownloadRequest, request: DownloadRequest, error: unknown): boolean {
  const { code } = toDragonflyError(error);
  const isGivenUp = code === 'FAILED_PRECONDITION' || code === 'DEADLINE_EXCEEDED';
  // A request with a fallback gives up early, which says nothing about others.
  if (isGivenUp) return joined.hasFallback === true && request.hasFallback !== true;
  const isAnswerToOne = code === 'SOURCE_STATUS' || (code === 'CANCELLED' && joined.opened !== undefined);
  return isAnswerToOne && !sameRequest(joined, request);
}

/** Everything the request wants is on disk and verified. */
export function hasAll(stored: StoredTask, request: DownloadRequest): boolean {
  const { layout } = stored;
  if (!layout) return false;
  // An expected digest still has to be confirmed, even if all content is here.
  if (request.digest !== undefined && request.digest !== stored.identity.digest) return false;
  if (stored.state === 'finished') return true;
  const range = request.range && resolveRange(request.range, layout.contentLengthBytes);
  if (!range) return false;
  const { first, last } = piecesOfRange(layout, range.start, range.length);
  return stored.pieces.firstMissing(first, last + 1) === undefined;
}
