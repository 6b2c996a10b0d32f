/** Cuts one answer of the origin into pieces, wherever it begins, and records each piece once it is complete. */
import type { PiecePatcher } from '../../storage/pieces/piece-patcher.ts';
import type { StoredTask } from '../../storage/stored-task.ts';

export interface CutterOptions {
  readonly stored: StoredTask;
  /** Whether this answer should bring bytes of the piece. */
  readonly takes: (number: number) => boolean;
  /** A piece starts to arrive with its first byte. */
  readonly onBegun: (number: number) => void;
  /** A piece that started to arrive will not be completed by this answer. */
  readonly onGivenUp: (number: number) => void;
}

interface Current {
  readonly number: number;
  /** Undefined for a piece that is skipped. */
  readonly patcher: PiecePatcher | undefined;
  readonly leave: () => void;
  readonly begun: boolean;
  readonly startedMs: number;
}

export class PieceCutter implements Disposable {
  readonly #options: CutterOptions;
  #current: Current | undefined;

  constructor(options: CutterOptions) {
    this.#options = options;
  }

  /** The next byte is at this position: children that wait for its piece hear of it now, so that they have requested it when it arrives. */
  begin(position: number): void {
    const { stored, takes, onBegun } = this.#options;
    const pieceLength = stored.pieceLengthBytes ?? 1;
    const number = Math.floor(position / pieceLength);
    if (this.#current?.number === number) return;
    this[Symbol.dispose]();
    const wanted = !stored.pieces.has(number) && takes(number);
    const patcher = wanted ? stored.claims.patch(number) : undefined;
    const begun = patcher !== undefined && position - number * pieceLength <= patcher.incoming.filledFromStart;
    const startedMs = performance.now();
    this.#current = { number, patcher, begun, startedMs, leave: patcher?.join() ?? (() => undefined) };
    if (begun) onBegun(number);
  }

  /** Bytes of one piece, after `begin`. */
  async write(position: number, bytes: Uint8Array): Promise<void> {
    const { stored } = this.#options;
    this.begin(position);
    const current = this.#current;
    if (!current?.patcher) return;
    const { patcher, number } = current;
    const offset = position - number * (stored.pieceLengthBytes ?? 0);
    await patcher.write(offset, bytes);
    const isFull = patcher.incoming.filledFromStart === this.#lengthOf(number);
    if (isFull && patcher.isOpen) await this.#commit(current, patcher);
  }

  /** The content ends here; its length was not known before. */
  async end(): Promise<void> {
    const current = this.#current;
    if (current?.patcher?.isOpen === true) await this.#commit(current, current.patcher);
  }

  /** The answer has ended: parts of a piece stay for whoever fetches the rest. */
  [Symbol.dispose](): void {
    const current = this.#current;
    this.#current = undefined;
    if (!current?.patcher) return;
    current.leave();
    if (current.begun && current.patcher.incoming.state === 'writing') this.#options.onGivenUp(current.number);
  }

  /** The maximum length while the end of the content is unknown. */
  #lengthOf(number: number): number {
    const { layout, pieceLengthBytes = 0 } = this.#options.stored;
    return Math.min(pieceLengthBytes, (layout?.contentLengthBytes ?? Infinity) - number * pieceLengthBytes);
  }

  async #commit(current: Current, patcher: PiecePatcher): Promise<void> {
    await patcher.commit({ source: 'origin', costMs: performance.now() - current.startedMs });
    current.leave();
    this.#current = undefined;
  }
}
