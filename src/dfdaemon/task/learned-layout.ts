/**
 * What others say of the length of the content and how it is cut. Their word is taken, not believed: where it cannot be, or the origin says
 * otherwise, the origin is asked.
 */
import { toDragonflyError, type DragonflyError } from '../../core/errors.ts';
import { pieceLayout } from '../../core/piece-layout.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import { emptyOnHearsay } from './origin/origin-check.ts';

export interface LayoutFacts {
  readonly contentLengthBytes: number;
  readonly pieceLengthBytes: number;
  readonly responseHeader: Readonly<Record<string, string>>;
}

export interface LearnedLayoutOptions {
  readonly stored: StoredTask;
  /** Sees to the disk space; rejects with NO_SPACE. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly isRunning: () => boolean;
  /** Even that the content is empty: there is a digest, and nobody else to ask. */
  readonly takesEmpty: () => boolean;
  readonly events: {
    /** The layout is known. */
    begin(): void;
    /** Only the origin can tell; the error where it may not be asked. */
    askOrigin(otherwise: DragonflyError): void;
  };
}

export class LearnedLayout {
  readonly #options: LearnedLayoutOptions;
  #isTaking = false;
  #isHearsay = false;

  constructor(options: LearnedLayoutOptions) {
    this.#options = options;
  }

  /** The origin says otherwise. True when the layout was what others said, until now. */
  disown(): boolean {
    const wasHearsay = this.#isHearsay;
    this.#isHearsay = false;
    return wasHearsay;
  }

  /** Never rejects. */
  async take(facts: LayoutFacts): Promise<void> {
    const { stored, makeRoom, isRunning, takesEmpty, events } = this.#options;
    const { contentLengthBytes, pieceLengthBytes } = facts;
    if (stored.layout || this.#isTaking || !isRunning()) return;
    if (contentLengthBytes === 0 && !takesEmpty()) return events.askOrigin(emptyOnHearsay());
    this.#isTaking = true;
    try {
      PieceSet.range(pieceLayout(contentLengthBytes, pieceLengthBytes).pieceCount, 0); // there can be so many
      await makeRoom(contentLengthBytes);
      if (!isRunning()) return;
      if (!stored.layout) {
        stored.setLayout(facts);
        this.#isHearsay = true;
      }
      events.begin();
    } catch (error) {
      events.askOrigin(toDragonflyError(error));
    } finally {
      this.#isTaking = false;
    }
  }
}
