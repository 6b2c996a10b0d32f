/** What a publisher takes over from the version before: packs that stay long enough and are still used. */
import type { Chunk, Manifest, Pack } from './manifest.ts';

/** Less used than this, a pack costs whoever begins with this version more than packing its rest anew costs the publisher. */
const leastUsedShare = 0.5;
/** With more packs than this the small ones are put together. */
const wantedPacks = 128;

/** About so many packs hold a directory; each is a task of its own, and fetched as a whole. */
const packsPerDirectory = 64;
const [smallestPackBytes, largestPackBytes] = [16 * 2 ** 20, 2 ** 30];

export function packTargetBytes(contentLengthBytes: number): number {
  return Math.min(largestPackBytes, Math.max(smallestPackBytes, Math.ceil(contentLengthBytes / packsPerDirectory)));
}

/** Chunks of the version before, by digest, that lie in packs which will still be there at `untilMs` and have their replicas. */
export function reusableChunks(
  { chunks, packs }: Pick<Manifest, 'chunks' | 'packs'>,
  { untilMs, isWhole }: { readonly untilMs: number; readonly isWhole: (pack: Pack) => boolean },
): ReadonlyMap<string, Chunk> {
  const usable = packs.map((pack) => pack.expiresMs >= untilMs && isWhole(pack));
  return new Map(chunks.filter(({ pack }) => usable[pack]).map((chunk) => [chunk.sha256, chunk]));
}

/**
 * Packs whose used chunks are to be packed anew. @param used chunks of the packs that the new version uses, each once.
 */
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
