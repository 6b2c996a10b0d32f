/** How a download ends: what is being verified, and where its pieces came from. */
import type { PeerEffect } from './effects.ts';

export class Completion {
  #verifies: 'whole' | 'part' | undefined;
  #fromOrigin = 0;
  /** Pieces that other nodes gave, as far as they were not found to be corrupt. */
  fromParents = 0;

  /** Everything wanted is here, and is being verified. */
  get isVerifying(): boolean {
    return this.#verifies !== undefined;
  }

  landed(parentId: string | undefined): void {
    if (parentId === undefined) this.#fromOrigin += 1;
    else this.fromParents += 1;
  }

  verify(what: 'whole' | 'part'): PeerEffect {
    this.#verifies = what;
    return { kind: 'verify', whole: what === 'whole' };
  }

  /** What was being verified has changed. False when nothing was being verified. */
  dropped(): boolean {
    const was = this.isVerifying;
    this.#verifies = undefined;
    return was;
  }

  /** The content is right. Undefined when a piece was lost meanwhile. */
  finish(): PeerEffect | undefined {
    if (!this.#verifies) return undefined;
    return { kind: 'finish', whole: this.#verifies === 'whole', fromOrigin: this.#fromOrigin > 0 };
  }
}
