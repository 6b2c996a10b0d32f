/** Which runs of chunks are held as which task, so that a shorter run of the same xorb need not be fetched. */
import { LRUCache } from 'lru-cache';
import { hashBytes, hexOf, xorbHash, type ChunkHashes } from './xet-hash.ts';
import type { ChunkRun } from './chunk-run.ts';
import { lengthOf, type XorbRange } from './reconstruction.ts';

/** A field stored with such content: where it lies in its xorb. */
export const xorbField = 'x-dragonfly-xorb';

const maxXorbs = 100_000;
const maxRuns = 64;

export class XorbIndex {
  readonly #runs = new LRUCache<string, readonly XorbRange[]>({ max: maxXorbs });

  /** @param stored by this node before it was last started */
  constructor(stored: Iterable<Readonly<Record<string, string>>>) {
    for (const header of stored) {
      const range = rangeFrom(header[xorbField]);
      if (range) this.add(range);
    }
  }

  add(range: XorbRange): void {
    const known = this.#runs.get(range.xorb) ?? [];
    if (known.some((each) => nameOf(each) === nameOf(range))) return;
    this.#runs.set(range.xorb, [...known, range].slice(-maxRuns));
  }

  remove(range: XorbRange): void {
    const left = (this.#runs.get(range.xorb) ?? []).filter((each) => nameOf(each) !== nameOf(range));
    if (left.length > 0) this.#runs.set(range.xorb, left);
    else this.#runs.delete(range.xorb);
  }

  /** Held runs that contain all of this one, itself first. */
  around(range: XorbRange): XorbRange[] {
    const known = this.#runs.get(range.xorb) ?? [];
    return known.filter((each) => holds(each, range)).toSorted((a, b) => lengthOf(a) - lengthOf(b));
  }
}

export function holds(held: XorbRange, { chunks, bytes }: XorbRange): boolean {
  const isIn = (outer: XorbRange['chunks'], inner: XorbRange['chunks']): boolean =>
    outer.start <= inner.start && inner.end <= outer.end;
  return isIn(held.chunks, chunks) && isIn(held.bytes, bytes);
}

/** The name that distinguishes the bytes of a range from all others. */
export function nameOf({ xorb, chunks, bytes }: XorbRange): string {
  return `${xorb} ${chunks.start}-${chunks.end} ${bytes.start}-${bytes.end}`;
}

/** Parses such a name; undefined for anything else. */
export function rangeFrom(text: string | undefined): XorbRange | undefined {
  const match = /^([0-9a-f]{64}) (\d+)-(\d+) (\d+)-(\d+)$/.exec(text ?? '');
  if (!match) return undefined;
  const [first = 0, end = 0, from = 0, to = 0] = match.slice(2).map(Number);
  return { xorb: match[1] ?? '', chunks: { start: first, end }, bytes: { start: from, end: to } };
}

/** The chunks are a complete xorb and hash to its name. */
export function isWholeXorb({ xorb, chunks }: XorbRange, run: ChunkHashes): boolean {
  return chunks.start === 0 && hexOf(xorbHash(run)) === xorb;
}

/** The chunks of `wanted` within a held run; undefined when the bytes do not match its addresses. */
export function runInside(held: XorbRange, run: ChunkRun, wanted: XorbRange): ChunkRun | undefined {
  const first = wanted.chunks.start - held.chunks.start;
  const end = wanted.chunks.end - held.chunks.start;
  const sum = (lengths: Uint32Array): number => lengths.reduce((total, length) => total + length, 0);
  const start = held.bytes.start + sum(run.storedLengths.subarray(0, first));
  const storedLengths = run.storedLengths.subarray(first, end);
  if (start !== wanted.bytes.start || start + sum(storedLengths) !== wanted.bytes.end + 1) return undefined;
  return {
    storedLengths,
    lengths: run.lengths.subarray(first, end),
    hashes: run.hashes.subarray(first * hashBytes, end * hashBytes),
  };
}
