/** Builds a manifest from a publisher's chunks: chunks in the order in which they lie in their packs, files as runs of them. */
import type { ChunkSizes } from './chunker.ts';
import type { Chunk, ChunkRun, Entry, Manifest, Pack } from './manifest.ts';

/** A file with the indexes of its chunks in the publisher's order. */
export interface CutFile {
  readonly kind: 'file';
  readonly path: string;
  readonly mode: number;
  readonly lengthBytes: number;
  readonly sha256: string;
  readonly chunks: readonly number[];
}

export type CutEntry = Exclude<Entry, { readonly kind: 'file' }> | CutFile;

export interface CutDirectory {
  readonly name: string;
  readonly version: string;
  readonly sizes: ChunkSizes;
  readonly mode: number;
  /** Packs without a used chunk are left out. */
  readonly packs: readonly Pack[];
  readonly chunks: readonly Chunk[];
  readonly entries: readonly CutEntry[];
}

export function assemble({ packs, chunks, entries, ...rest }: CutDirectory): Manifest {
  const used = [...new Set(chunks.map(({ pack }) => pack))].sort((a, b) => a - b);
  const packIndex = new Map(used.map((pack, index) => [pack, index]));
  const order = chunks.map((_, index) => index).sort((a, b) => compare(chunks[a] as Chunk, chunks[b] as Chunk));
  const chunkIndex = new Uint32Array(chunks.length);
  order.forEach((before, after) => (chunkIndex[before] = after));
  return {
    ...rest,
    packs: used.map((pack) => packs[pack] as Pack),
    chunks: order.map((index) => {
      const chunk = chunks[index] as Chunk;
      return { ...chunk, pack: packIndex.get(chunk.pack) as number };
    }),
    entries: entries.map((entry): Entry => {
      if (entry.kind !== 'file') return entry;
      const { chunks: own, ...file } = entry;
      return { ...file, runs: runsOf(own.map((index) => chunkIndex[index] as number)) };
    }),
  };
}

function compare(a: Chunk, b: Chunk): number {
  return a.pack - b.pack || a.offset - b.offset;
}

function runsOf(indices: readonly number[]): ChunkRun[] {
  const runs: [number, number][] = [];
  for (const index of indices) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === index) last[1] += 1;
    else runs.push([index, 1]);
  }
  return runs;
}
