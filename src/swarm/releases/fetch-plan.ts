/** Where a subscriber gets the chunks of a version: from versions it has already, and from packs that it has to fetch. */
import type { Chunk, FileEntry, Manifest } from './manifest.ts';

/** The place of a chunk in a file on the disk. */
export interface ChunkPlace {
  readonly file: string;
  readonly offset: number;
}

/** Bytes that are contiguous both in an existing file and in one to be written. */
export interface LocalCopy {
  readonly from: ChunkPlace;
  readonly to: ChunkPlace;
  readonly lengthBytes: number;
}

export interface FetchPlan {
  readonly copies: readonly LocalCopy[];
  /** By pack index: the chunks to take from the pack, in its order. */
  readonly packs: ReadonlyMap<number, readonly number[]>;
  /** Total size of the packs that are fetched. */
  readonly fetchedBytes: number;
}

/** @param local finds a chunk that is already there, by its digest. */
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

/** The packs that contain these chunks, by index. */
export function packsOf(
  { chunks, packs }: Pick<Manifest, 'chunks' | 'packs'>,
  missing: ReadonlySet<number>,
): Pick<FetchPlan, 'packs' | 'fetchedBytes'> {
  const sorted = [...missing].sort((a, b) => a - b);
  const byPack = Map.groupBy(sorted, (index) => chunks[index]?.pack ?? 0);
  const fetchedBytes = [...byPack.keys()].reduce((sum, pack) => sum + (packs[pack]?.lengthBytes ?? 0), 0);
  return { packs: byPack, fetchedBytes };
}

/** Every place where a chunk belongs in the version's files, by chunk index. */
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

/** The chunks of one file, in order. */
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

/** Merges two copies that are contiguous on both sides. */
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
