/** The readers of one download who want a part: gives each a number by which the machine knows it, and tells how far its bytes are. */
import { resolveRange, type RangeSpec } from '../../core/byte-range.ts';
import type { PeerEffect } from '../../swarm/peer/download/effects.ts';
import type { PeerEvent } from '../../swarm/peer/download/events.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { OriginFetch } from './origin/origin-fetch.ts';
import { firstMissingByte } from './origin/origin-run.ts';

export interface ReaderDeskOptions {
  readonly stored: StoredTask;
  readonly fetchOf: (fetch: number) => OriginFetch | undefined;
  /** Tells the machine. */
  readonly take: (event: PeerEvent) => void;
}

export class ReaderDesk {
  readonly #options: ReaderDeskOptions;
  /** Each has a range of its own, even where two want the same bytes. */
  readonly #numbers = new Map<RangeSpec, number>();
  #last = 0;

  constructor(options: ReaderDeskOptions) {
    this.#options = options;
  }

  add(range: RangeSpec): void {
    if (this.#numbers.has(range)) return;
    this.#last += 1;
    this.#numbers.set(range, this.#last);
    this.#options.take({ kind: 'reader-came', reader: this.#last, range, isHere: this.#isHere(range) });
  }

  remove(range: RangeSpec): void {
    const reader = this.#numbers.get(range);
    if (reader === undefined) return;
    this.#numbers.delete(range);
    this.#options.take({ kind: 'reader-left', reader });
  }

  measure({ readers, fetch: key, alone }: Extract<PeerEffect, { kind: 'measure-readers' }>): void {
    const { fetchOf, take } = this.#options;
    const fetch = key === undefined ? undefined : fetchOf(key);
    const measures = readers.map(({ reader, range }) => {
      const comesInMs = this.#comesInMs(range, fetch);
      return { reader, isHere: this.#isHere(range), comesInMs };
    });
    take({ kind: 'readers-measured', measures, nextPiece: fetch?.nextPiece, alone });
  }

  #comesInMs(range: RangeSpec, fetch: OriginFetch | undefined): number | undefined {
    const { layout } = this.#options.stored;
    const start = layout && resolveRange(range, layout.contentLengthBytes)?.start;
    const comesInMs = start === undefined ? undefined : fetch?.comesInMs(start);
    return Number.isFinite(comesInMs) ? comesInMs : undefined;
  }

  #isHere(range: RangeSpec): boolean {
    const { stored } = this.#options;
    const { layout } = stored;
    const bytes = layout && resolveRange(range, layout.contentLengthBytes);
    if (!bytes) return false;
    const span = { from: bytes.start, to: bytes.start + bytes.length };
    return firstMissingByte(stored, layout.pieceLengthBytes, span) === undefined;
  }
}
