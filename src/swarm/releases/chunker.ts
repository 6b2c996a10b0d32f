/**
 * Content-defined chunking (FastCDC: Xia et al., USENIX ATC 2016): a chunk ends where the hash of the last 32 bytes has
 * zeros in its highest bits. Inserting or removing bytes only moves the cuts around them, so that a new version shares
 * its other chunks with the previous one. Below the average length more zeros are required than above it, which keeps
 * lengths close to the average.
 */

export interface ChunkSizes {
  readonly minBytes: number;
  /** A power of two. */
  readonly averageBytes: number;
  readonly maxBytes: number;
}

const smallestAverageBytes = 32 * 2 ** 10;
const largestAverageBytes = 4 * 2 ** 20;
/** Each chunk costs every subscriber about 40 bytes of the manifest; every change costs about one chunk more than what has changed. */
const wantedChunks = 2 ** 15;

/** Chunk sizes for a directory of this length. Versions of one name keep the sizes of the first one, since they would share no chunks otherwise. */
export function chunkSizesFor(contentLengthBytes: number): ChunkSizes {
  const wanted = 2 ** Math.round(Math.log2(Math.max(1, contentLengthBytes / wantedChunks)));
  const averageBytes = Math.min(largestAverageBytes, Math.max(smallestAverageBytes, wanted));
  return { minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 4 };
}

export function isChunkSizes({ minBytes, averageBytes, maxBytes }: ChunkSizes): boolean {
  const isPower = Number.isInteger(Math.log2(averageBytes));
  const isInRange = averageBytes >= 2 ** 10 && averageBytes <= largestAverageBytes;
  return isPower && isInRange && minBytes === averageBytes / 4 && maxBytes === averageBytes * 4;
}

/**
 * Length of the chunk that begins at `start`. The bytes up to `end` are available: `maxBytes` at least, or the last
 * ones of the file.
 */
export function chunkLength(bytes: Uint8Array, start: number, end: number, sizes: ChunkSizes): number {
  const { minBytes, averageBytes, maxBytes } = sizes;
  const available = Math.min(end - start, maxBytes);
  if (available <= minBytes) return available;
  const bits = Math.log2(averageBytes);
  const normalEnd = start + Math.min(available, averageBytes);
  const last = start + available;
  const [strict, loose] = [highBits(bits + 2), highBits(bits - 2)];
  let hash = 0;
  let at = start + minBytes;
  for (; at < normalEnd; at += 1) {
    hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
    if ((hash & strict) === 0) return at + 1 - start;
  }
  for (; at < last; at += 1) {
    hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
    if ((hash & loose) === 0) return at + 1 - start;
  }
  return available;
}

function highBits(count: number): number {
  return (-1 << (32 - count)) | 0;
}

/** One number per byte, which must never change, because other numbers would cut elsewhere. From the generator SplitMix32, seeded with 1. */
const gear = Int32Array.from({ length: 256 }, (_, index) => {
  let mixed = Math.imul(index + 1, 0x9e3779b9) + 1;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return mixed ^ (mixed >>> 15);
});
