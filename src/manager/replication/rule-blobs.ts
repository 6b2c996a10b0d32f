/** Blobs of one rule on their way to its target: what its tags have in common goes once, whichever repositories they are of. */
import { orAborted } from '../../core/process/lifecycle.ts';
import { maxRememberedBlobs } from '../limits.ts';
import { copyBlob, type BlobCopy } from './blob-upload.ts';

interface Running {
  readonly repository: string;
  readonly bytes: Promise<number>;
  readonly signal: AbortSignal;
}

export class RuleBlobs {
  /** By digest. */
  readonly #running = new Map<string, Running>();
  /** Digest → repository of the target that has it; the ones of late. */
  readonly #there = new Map<string, string>();

  /** @returns bytes that went to the target for this copy, none where another brought it. Throws as `copyBlob`. */
  async copy(copy: BlobCopy): Promise<number> {
    const { target, blob, signal } = copy;
    const { digest } = blob;
    const repository = target.place.name;
    for (let other = this.#running.get(digest); other; other = this.#running.get(digest)) {
      const isSame = other.repository === repository;
      try {
        await orAborted(other.bytes, signal);
        if (isSame) return 0;
      } catch (error) {
        // Somebody stopped the other one, or its repository takes nothing, which says nothing of this one.
        if (signal.aborted || (isSame && !other.signal.aborted)) throw error;
      }
    }
    const bytes = copyBlob({ ...copy, elsewhere: this.#there.get(digest) })
      .then((sent) => {
        this.#remember(digest, repository);
        return sent;
      })
      .finally(() => this.#running.delete(digest));
    this.#running.set(digest, { repository, bytes, signal });
    return bytes;
  }

  #remember(digest: string, repository: string): void {
    this.#there.delete(digest);
    this.#there.set(digest, repository);
    const [oldest = digest] = this.#there.keys();
    if (this.#there.size > maxRememberedBlobs) this.#there.delete(oldest);
  }
}
