/**
 * Tells the machine of a download which readers want a part, and how far their bytes are. What they get is decided by
 * PartReaders in swarm/peer/download/, and by ReaderDesk at the scheduler.
 */
import { resolveRange, type RangeSpec } from '../../core/byte-range.ts';
import type { PeerEffect } from '../../swarm/peer/download/effects.ts';
import type { DownloadScope } from './download-scope.ts';
import type { OriginFetch } from './origin/origin-fetch.ts';
import type { OriginFetches } from './origin/origin-fetches.ts';
import { firstMissingByte } from './origin/origin-run.ts';

export class ReaderMeter {
  readonly #scope: DownloadScope;
  readonly #origin: OriginFetches;
  /** Each reader has its own range object, even where two want the same bytes. */
  readonly #numbers = new Map<RangeSpec, number>();
  #last = 0;

  constructor(scope: DownloadScope, origin: OriginFetches) {
    this.#scope = scope;
    this.#origin = origin;
  }

  add(range: RangeSpec): void {
    if (this.#numbers.has(range)) return;
    this.#last += 1;
    this.#numbers.set(range, this.#last);
    this.#scope.machine.take({ kind: 'reader-came', reader: this.#last, range, isHere: this.#isHere(range) });
  }

  remove(range: RangeSpec): void {
    const reader = this.#numbers.get(range);
    if (reader === undefined) return;
    this.#numbers.delete(range);
    this.#scope.machine.take({ kind: 'reader-left', reader });
  }

  measure({ readers, fetch: key, alone }: Extract<PeerEffect, { kind: 'measure-readers' }>): void {
    const fetch = key === undefined ? undefined : this.#origin.of(key);
    const measures = readers.map(({ reader, range }) => {
      const comesInMs = this.#comesInMs(range, fetch);
      return { reader, isHere: this.#isHere(range), comesInMs };
    });
    this.#scope.machine.take({ kind: 'readers-measured', measures, nextPiece: fetch?.nextPiece, alone });
  }

  #comesInMs(range: RangeSpec, fetch: OriginFetch | undefined): number | undefined {
    const { layout } = this.#scope.stored;
    const start = layout && resolveRange(range, layout.contentLengthBytes)?.start;
    const comesInMs = start === undefined ? undefined : fetch?.comesInMs(start);
    return Number.isFinite(comesInMs) ? comesInMs : undefined;
  }

  #isHere(range: RangeSpec): boolean {
    const { stored } = this.#scope;
    const { layout } = stored;
    const bytes = layout && resolveRange(range, layout.contentLengthBytes);
    if (!bytes) return false;
    const span = { from: bytes.start, to: bytes.start + bytes.length };
    return firstMissingByte(stored, layout.pieceLengthBytes, span) === undefined;
  }
}
