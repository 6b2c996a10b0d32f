/** Which packs a publisher reuses from the previous version: those that stay long enough and are still used. */
import type { Chunk, Manifest, Pack } from './manifest.ts';

/** A pack of which less is used costs a new subscriber more than repacking the rest costs the publisher. */
const leastUsedShare = 0.5;
/** With more packs than this, small ones are combined. */
const wantedPacks = 128;

/** Approximate number of packs per directory; each is a task of its own and is fetched as a whole. */
const packsPerDirectory = 64;
const [smallestPackBytes, largestPackBytes] = [16 * 2 ** 20, 2 ** 30];

export function packTargetBytes(contentLengthBytes: number): number {
  return Math.min(largestPackBytes, Math.max(smallestPackBytes, Math.ceil(contentLengthBytes / packsPerDirectory)));
}

/** Chunks of the previous version, by digest, in packs that will still exist at `untilMs` and have their replicas. */
export function reusableChunks(
  { chunks, packs }: Pick<Manifest, 'chunks' | 'packs'>,
  { untilMs, isWhole }: { readonly untilMs: number; readonly isWhole: (pack: Pack) => boolean },
): ReadonlyMap<string, Chunk> {
  const usable = packs.map((pack) => pack.expiresMs >= untilMs && isWhole(pack));
  return new Map(chunks.filter(({ pack }) => usable[pack]).map((chunk) => [chunk.sha256, chunk]));
}

/** Packs whose used chunks are to be repacked. @param used chunks of packs that the new version uses, each once. */
export function packsToRepack(packs: readonly Pack[], used: Iterable<Chunk>, targetBytes: number): ReadonlySet<number> {
  const usedBytes = new Map<number, number>();
  for (const { pack, lengthBytes } of used) usedBytes.set(pack, (usedBytes.get(pack) ?? 0) + lengthBytes);
  const many = usedBytes.size > wantedPacks;
  return new Set(
    [...usedBytes].flatMap(([index, bytes]) => {
      const { lengthBytes } = packs[index] as Pack;
      const isSmall = many && lengthBytes < targetBytes / 4;
      return bytes < lengthBytes * leastUsedShare || isSmall ? [index] : [];
    }),
  );
}
