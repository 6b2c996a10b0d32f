/** Blobs of one rule on their way to its target: what its tags have in common goes once. */
import { orAborted } from '../../core/process/lifecycle.ts';
import { copyBlob, type BlobCopy } from './blob-upload.ts';

interface Running {
  readonly bytes: Promise<number>;
  readonly signal: AbortSignal;
}

export class RuleBlobs {
  readonly #running = new Map<string, Running>();

  /** @returns bytes that went to the target for this copy, none where another brought it. Throws as `copyBlob`. */
  async copy(copy: BlobCopy): Promise<number> {
    const { target, blob, signal } = copy;
    const key = `${target.place.name}@${blob.digest}`;
    for (let other = this.#running.get(key); other; other = this.#running.get(key)) {
      try {
        await orAborted(other.bytes, signal);
        return 0;
      } catch (error) {
        // Somebody stopped the other one, which says nothing of this one.
        if (signal.aborted || !other.signal.aborted) throw error;
      }
    }
    const bytes = copyBlob(copy).finally(() => this.#running.delete(key));
    this.#running.set(key, { bytes, signal });
    return bytes;
  }
}
