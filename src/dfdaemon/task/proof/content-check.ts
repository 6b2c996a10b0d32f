/** The whole-content digest of one download: the hash follows the pieces as they land in order, and is confirmed at the end. */
import { DigestStream, formatDigest, sameDigest, type Digest } from '../../../core/digest.ts';
import { DragonflyError } from '../../../core/errors.ts';
import { pieceSpan } from '../../../core/piece-layout.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import type { ContentHash, ContentHasher } from './content-hasher.ts';

export class ContentCheck {
  readonly expected: Digest;
  readonly #hasher: ContentHasher;
  readonly #stored: StoredTask;
  #hash: ContentHash | undefined;

  constructor(expected: Digest, hasher: ContentHasher, stored: StoredTask) {
    this.expected = expected;
    this.#hasher = hasher;
    this.#stored = stored;
  }

  /** Lets the hash follow up to the first missing piece. */
  advance(): void {
    const { layout, pieces, content } = this.#stored;
    if (!layout || layout.pieceCount === 0) return;
    const missing = pieces.firstMissing(0, layout.pieceCount);
    if (missing === 0) return; // the file may not be there before the first piece
    this.#hash ??= this.#hasher.open(content.path, this.expected);
    this.#hash.advance(missing === undefined ? layout.contentLengthBytes : pieceSpan(layout, missing).offset);
  }

  /** Every piece is there. Rejects with DIGEST_MISMATCH when they are not the requested content. */
  async verify(contentLengthBytes: number): Promise<void> {
    if (contentLengthBytes > 0) {
      this.advance();
      return this.#hash?.verify(contentLengthBytes);
    }
    if (sameDigest(new DigestStream(this.expected.algorithm).finish(), this.expected)) return;
    throw new DragonflyError('DIGEST_MISMATCH', `the content is empty, expected ${formatDigest(this.expected)}`);
  }

  /** Starts over, for content that is fetched again. */
  reset(): void {
    this.#hash?.close();
    this.#hash = undefined;
  }
}
