/** Where a subscriber takes the chunks of a version from: versions it has already, and packs it has to fetch. */
import type { Chunk, FileEntry, Manifest } from './manifest.ts';

/** A chunk in a file on the disk. */
export interface ChunkPlace {
  readonly file: string;
  readonly offset: number;
}

/** Bytes that lie one behind the other in a file that is there, and in one that is to be. */
export interface LocalCopy {
  readonly from: ChunkPlace;
  readonly to: ChunkPlace;
  readonly lengthBytes: number;
}

export interface FetchPlan {
  readonly copies: readonly LocalCopy[];
  /** By the index of the pack: what is to be taken from it, in the order of the pack. */
  readonly packs: ReadonlyMap<number, readonly number[]>;
  /** Sum of the packs that are fetched. */
  readonly fetchedBytes: number;
}

/** @param local where there is a chunk already, by its digest. */
export function planFetch(manifest: Manifest, local: (sha256: string) => ChunkPlace | undefined): FetchPlan {
  const copies: LocalCopy[] = [];
  const missing = new Set<number>();
  for (const entry of manifest.entries) {
    if (entry.kind !== 'file') continue;
    for (const { index, chunk, offset } of chunksOf(entry, manifest.chunks)) {
      const from = local(chunk.sha256);
      if (from) append(copies, { from, to: { file: entry.path, offset }, lengthBytes: chunk.lengthBytes });
      else missing.add(index);
    }
  }
  return { copies, ...packsOf(manifest, missing) };
}

/** The packs that hold these chunks, by their index. */
export function packsOf(
  { chunks, packs }: Pick<Manifest, 'chunks' | 'packs'>,
  missing: ReadonlySet<number>,
): Pick<FetchPlan, 'packs' | 'fetchedBytes'> {
  const sorted = [...missing].sort((a, b) => a - b);
  const byPack = Map.groupBy(sorted, (index) => chunks[index]?.pack ?? 0);
  const fetchedBytes = [...byPack.keys()].reduce((sum, pack) => sum + (packs[pack]?.lengthBytes ?? 0), 0);
  return { packs: byPack, fetchedBytes };
}

/** Every place in the files of the version where a chunk belongs, by the index of the chunk. */
export function chunkTargets({
  entries,
  chunks,
}: Pick<Manifest, 'entries' | 'chunks'>): ReadonlyMap<number, ChunkPlace[]> {
  const targets = new Map<number, ChunkPlace[]>();
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    for (const { index, offset } of chunksOf(entry, chunks)) {
      const place = { file: entry.path, offset };
      const known = targets.get(index);
      if (known) known.push(place);
      else targets.set(index, [place]);
    }
  }
  return targets;
}

/** The chunks of one file, in their order. */
export function* chunksOf(
  { runs }: Pick<FileEntry, 'runs'>,
  chunks: readonly Chunk[],
): Generator<{ readonly index: number; readonly chunk: Chunk; readonly offset: number }, void, undefined> {
  let offset = 0;
  for (const [first, count] of runs) {
    for (let index = first; index < first + count; index += 1) {
      const chunk = chunks[index] as Chunk;
      yield { index, chunk, offset };
      offset += chunk.lengthBytes;
    }
  }
}

/** Makes one copy of two that follow each other on both sides. */
function append(copies: LocalCopy[], next: LocalCopy): void {
  const last = copies.at(-1);
  const follows =
    last !== undefined &&
    last.to.file === next.to.file &&
    last.to.offset + last.lengthBytes === next.to.offset &&
    last.from.file === next.from.file &&
    last.from.offset + last.lengthBytes === next.from.offset;
  if (follows) copies[copies.length - 1] = { ...last, lengthBytes: last.lengthBytes + next.lengthBytes };
  else copies.push(next);
}
