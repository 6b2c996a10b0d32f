/** Checks that the chunks sent to a client are those of its file, which is known once the last of them has been read. */
import type { ChunkRun } from './chunk-run.ts';
import { rangesOf, type Reconstruction, type XorbRange } from './reconstruction.ts';
import { fileHash, hashBytes, hexOf, type ChunkHashes } from './xet-hash.ts';
import { nameOf } from './xorb-index.ts';

interface Seen {
  readonly range: XorbRange;
  readonly run: ChunkRun;
  readonly isWhole: boolean;
}

export class FileProof {
  readonly #fileId: string;
  readonly #reconstruction: Reconstruction;
  /** Names of the ranges that have not been read yet. */
  readonly #missing: Set<string>;
  /** Emptied once the file is proven. */
  #seen = new Map<string, Seen>();
  #isBroken = false;

  /** @param reconstruction of the whole file */
  constructor(fileId: string, reconstruction: Reconstruction) {
    this.#fileId = fileId;
    this.#reconstruction = reconstruction;
    this.#missing = new Set(rangesOf(reconstruction).map(nameOf));
  }

  /** The chunks are not those of the file. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Ranges that have been read but have no name that verifies them on their own. */
  get unproven(): XorbRange[] {
    return [...this.#seen.values()].flatMap(({ range, isWhole }) => (isWhole ? [] : [range]));
  }

  add(range: XorbRange, run: ChunkRun, isWhole: boolean): void {
    const name = nameOf(range);
    if (this.#isBroken || !this.#missing.delete(name)) return;
    this.#seen.set(name, { range, run, isWhole });
    const fits = this.#reconstruction.terms.every(
      (term) => !isInside(term, range) || sum(lengthsOf(term, range, run)) === term.unpacked_length,
    );
    if (fits && this.#missing.size > 0) return;
    this.#isBroken = !fits || hexOf(fileHash(this.#chunks())) !== this.#fileId;
    if (!this.#isBroken) this.#seen = new Map();
  }

  /** The file's chunks in their order. */
  #chunks(): ChunkHashes {
    const seen = Map.groupBy(this.#seen.values(), ({ range: { xorb } }) => xorb);
    const parts = this.#reconstruction.terms.flatMap((term) => {
      const found = seen.get(term.hash)?.find(({ range }) => isInside(term, range));
      if (!found) return [];
      const { range, run } = found;
      const from = term.range.start - range.chunks.start;
      const to = term.range.end - range.chunks.start;
      return [
        { lengths: run.lengths.subarray(from, to), hashes: run.hashes.subarray(from * hashBytes, to * hashBytes) },
      ];
    });
    return {
      lengths: Uint32Array.from(parts.flatMap(({ lengths }) => [...lengths])),
      hashes: Buffer.concat(parts.map(({ hashes }) => hashes)),
    };
  }
}

type Term = Reconstruction['terms'][number];

function isInside({ hash, range }: Term, { xorb, chunks }: XorbRange): boolean {
  return hash === xorb && chunks.start <= range.start && range.end <= chunks.end;
}

function lengthsOf({ range }: Term, { chunks }: XorbRange, { lengths }: ChunkRun): Uint32Array {
  return lengths.subarray(range.start - chunks.start, range.end - chunks.start);
}

function sum(lengths: Uint32Array): number {
  return lengths.reduce((total, length) => total + length, 0);
}
