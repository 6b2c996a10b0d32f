/**
 * What other nodes say of the content's length and piece size. It is used but not trusted: where it contradicts itself
 * or the origin, the origin decides.
 */
import { toDragonflyError, type DragonflyError } from '../../core/errors.ts';
import { pieceLayout } from '../../core/piece-layout.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type { DownloadScope } from './download-scope.ts';
import { emptyOnHearsay } from './origin/origin-check.ts';
import type { ContentProof } from './proof/content-proof.ts';

export interface LayoutFacts {
  readonly contentLengthBytes: number;
  readonly pieceLengthBytes: number;
  readonly responseHeader: Readonly<Record<string, string>>;
}

export class LearnedLayout {
  readonly #scope: DownloadScope;
  readonly #proof: ContentProof;
  #isTaking = false;
  #isHearsay = false;

  constructor(scope: DownloadScope, proof: ContentProof) {
    this.#scope = scope;
    this.#proof = proof;
  }

  /** The origin contradicts the layout. True when the current layout came from other nodes. */
  disown(): boolean {
    const wasHearsay = this.#isHearsay;
    this.#isHearsay = false;
    return wasHearsay;
  }

  /** Takes a layout from other nodes. Never rejects. */
  async take(facts: LayoutFacts): Promise<void> {
    const { stored, context, machine } = this.#scope;
    const { contentLengthBytes, pieceLengthBytes } = facts;
    if (stored.layout || this.#isTaking || !machine.isRunning) return;
    if (contentLengthBytes === 0 && !this.#takesEmpty) return this.#askOrigin(emptyOnHearsay());
    this.#isTaking = true;
    try {
      PieceSet.range(pieceLayout(contentLengthBytes, pieceLengthBytes).pieceCount, 0); // there can be so many
      await context.makeRoom(contentLengthBytes);
      if (!machine.isRunning) return;
      if (!stored.layout) {
        stored.setLayout(facts);
        this.#isHearsay = true;
      }
      this.begin();
    } catch (error) {
      this.#askOrigin(toDragonflyError(error));
    } finally {
      this.#isTaking = false;
    }
  }

  /** Called when the layout may be known: pieces can be chosen, the hash can follow, readers can start. */
  begin(): void {
    const { stored, machine } = this.#scope;
    const { layout, pieces } = stored;
    if (!layout) return;
    const { contentLengthBytes, pieceLengthBytes, pieceCount } = layout;
    this.#proof.advance();
    machine.take({ kind: 'layout-known', contentLengthBytes, pieceLengthBytes, pieceCount, held: pieces });
    this.#scope.signalChange();
  }

  /** Whether "the content is empty" is accepted: there is a digest that can prove it, and no origin to ask. */
  get #takesEmpty(): boolean {
    return this.#proof.digest !== undefined && this.#scope.request.disableBackToSource === true;
  }

  /** Makes the origin decide; throws the error where it may not be asked. */
  #askOrigin(otherwise: DragonflyError): void {
    this.#scope.machine.take({ kind: 'origin-needed' }, otherwise);
  }
}
