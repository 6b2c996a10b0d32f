/**
 * Compares content from other nodes with the origin where nothing else vouches for it: a random part, so that a forger
 * cannot know which, and the total length.
 */
import { randomInt } from 'node:crypto';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import { isTemporaryStatus } from '../../../core/net/origin-status.ts';
import type { SourceBody, SourceOptions } from '../../source/source.ts';
import type { Sources } from '../../source/sources.ts';
import { readFully } from '../../storage/content-file.ts';
import type { PieceRecord } from '../../storage/metadata.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import { daemonLimits } from '../../limits.ts';

/**
 * One corrupt piece for each node that gave some: for every giver when the length differs. None when the origin agrees,
 * or cannot be asked now. Rejects with the origin's refusal.
 */
export async function differsFromOrigin(
  stored: StoredTask,
  {
    source,
    sources,
    signal,
    given,
  }: {
    source: SourceOptions & { readonly url: string };
    sources: Pick<Sources, 'open'>;
    signal: AbortSignal;
    /** Pieces that nothing else vouches for. */
    given: readonly PieceRecord[];
  },
): Promise<readonly PieceRecord[]> {
  const piece = given[randomInt(Math.max(1, given.length))];
  if (!piece) return [];
  const length = Math.min(daemonLimits.originCheckBytes, piece.length);
  const start = piece.offset + randomInt(piece.length - length + 1);
  let body: SourceBody;
  try {
    body = await sources.open({ ...source, signal, range: { start, length } });
  } catch (error) {
    signal.throwIfAborted();
    const failure = toDragonflyError(error);
    if (failure.code === 'RANGE_NOT_SATISFIABLE') return ofEach(given);
    if (failure.code === 'SOURCE_STATUS' && !isTemporaryStatus(failure.details?.statusCode ?? 500)) throw failure;
    return [];
  }
  const expected = stored.contentLengthBytes;
  if (body.contentLengthBytes !== undefined && body.contentLengthBytes !== expected) {
    body.cancel();
    return ofEach(given);
  }
  return (await isSame(stored, body, length)) ? [] : [at(given, body.startBytes) ?? piece];
}

export function emptyOnHearsay(): DragonflyError {
  return new DragonflyError('UNAVAILABLE', 'others call the content empty; the origin may not be asked', {
    hint: 'Allow this download to go to the origin, or name the digest of the content.',
  });
}

/** One piece of each giver. */
function ofEach(pieces: readonly PieceRecord[]): PieceRecord[] {
  return [...new Map(pieces.map((piece) => [piece.source, piece])).values()];
}

/** Compares the body with the stored part; without range support the body begins at 0. */
async function isSame(stored: StoredTask, body: SourceBody, length: number): Promise<boolean> {
  const enough = new DragonflyError('CANCELLED', 'enough was compared');
  let compared = 0;
  let same = true;
  const file = stored.content.acquire();
  try {
    await body.readTo(async (block) => {
      const part = block.subarray(0, length - compared);
      const held = Buffer.allocUnsafe(part.length);
      await readFully(file.fd, held, body.startBytes + compared);
      same &&= held.equals(part);
      compared += part.length;
      if (!same || compared >= length) throw enough;
    });
  } catch (error) {
    body.cancel();
    if (error !== enough && compared === 0) return true; // it broke before anything was compared
  } finally {
    file.release();
  }
  return same;
}

function at(pieces: readonly PieceRecord[], byte: number): PieceRecord | undefined {
  return pieces.find(({ offset, length }) => byte >= offset && byte < offset + length);
}
