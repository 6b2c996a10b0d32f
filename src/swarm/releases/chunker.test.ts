import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { chunkLength, chunkSizesFor, isChunkSizes, type ChunkSizes } from './chunker.ts';

const sizes: ChunkSizes = { minBytes: 1024, averageBytes: 4096, maxBytes: 16_384 };

/** Reproducible pseudo-random bytes. */
function bytesOf(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < length; index += 1)
    blocks.push(createHash('sha256').update(`${seed} ${index}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

function cut(bytes: Buffer): string[] {
  const digests: string[] = [];
  for (let start = 0; start < bytes.length;) {
    const length = chunkLength(bytes, start, bytes.length, sizes);
    digests.push(
      createHash('sha256')
        .update(bytes.subarray(start, start + length))
        .digest('hex'),
    );
    start += length;
  }
  return digests;
}

test('chunks are as long as asked for, and together the whole', () => {
  const bytes = bytesOf('a', 2 ** 20);
  const lengths: number[] = [];
  for (let start = 0; start < bytes.length; start += lengths.at(-1) ?? 0)
    lengths.push(chunkLength(bytes, start, bytes.length, sizes));
  assert.equal(
    lengths.reduce((sum, length) => sum + length, 0),
    bytes.length,
  );
  for (const length of lengths.slice(0, -1))
    assert.ok(length > sizes.minBytes && length <= sizes.maxBytes, `${length}`);
  const average = bytes.length / lengths.length;
  assert.ok(average > sizes.averageBytes * 0.75 && average < sizes.averageBytes * 1.5, `${average}`);
});

test('bytes put in and taken out change the chunks around them only', () => {
  const before = bytesOf('b', 2 ** 20);
  const changes = {
    'put in at the beginning': Buffer.concat([Buffer.from('x'), before]),
    'put in in the middle': Buffer.concat([before.subarray(0, 500_000), Buffer.from('xyz'), before.subarray(500_000)]),
    'taken out': Buffer.concat([before.subarray(0, 300_000), before.subarray(300_100)]),
  };
  const known = new Set(cut(before));
  for (const [what, after] of Object.entries(changes)) {
    const fresh = cut(after).filter((digest) => !known.has(digest));
    assert.ok(fresh.length >= 1 && fresh.length <= 4, `${what}: ${fresh.length} new chunks of ${known.size}`);
  }
});

test('content that repeats itself is cut into the same chunk again and again', () => {
  const digests = cut(Buffer.alloc(100_000));
  assert.ok(new Set(digests).size <= 2, `${new Set(digests).size} different ones`);
});

test('cuts are where they were in every version of this program', () => {
  const lengths: number[] = [];
  const bytes = bytesOf('for ever', 100_000);
  for (let start = 0; start < bytes.length; start += lengths.at(-1) ?? 0)
    lengths.push(chunkLength(bytes, start, bytes.length, sizes));
  const expected = [
    5360, 4394, 1810, 4630, 3037, 2004, 5880, 11464, 6899, 4183, 4808, 4170, 4142, 4301, 4765, 7406, 6579, 4397, 4105,
    4407, 1259,
  ];
  assert.deepEqual(lengths, expected);
});

test('sizes follow the length of the directory, within bounds', () => {
  assert.equal(chunkSizesFor(0).averageBytes, 32 * 1024);
  assert.equal(chunkSizesFor(2 ** 31).averageBytes, 64 * 1024);
  assert.equal(chunkSizesFor(2 ** 45).averageBytes, 4 * 2 ** 20);
  for (const length of [0, 1, 2 ** 31, 2 ** 50]) assert.ok(isChunkSizes(chunkSizesFor(length)));
  assert.ok(!isChunkSizes({ minBytes: 1, averageBytes: 4, maxBytes: 16 }));
  assert.ok(!isChunkSizes({ minBytes: 1500, averageBytes: 6000, maxBytes: 24_000 }));
});
