/** Digests of pieces by the thread that hashes them: as they come in, and of what is held. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { openSync, closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import { PieceHasher } from '../../src/dfdaemon/task/proof/piece-hasher.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const blockBytes = 64 * 1024;

function expected(...parts: Buffer[]): Uint8Array {
  const hasher = new Blake3Hasher();
  for (const part of parts) hasher.update(part);
  return new Uint8Array(hasher.digestBuffer());
}

test('what comes in by way of one block, used again as soon as it may be, has the digest of what is held', async () => {
  await using hasher = new PieceHasher();
  const content = Array.from({ length: 20 }, () => randomBytes(blockBytes));
  const block = Buffer.from(new SharedArrayBuffer(blockBytes));
  using hash = hasher.incoming();
  for (const part of content) {
    part.copy(block);
    await hash.update(block)();
  }
  const digest = await hash.digest();
  assert.deepEqual(digest, expected(...content));
  await using directory = await temporaryDirectory();
  const fd = openSync(join(directory.path, 'content'), 'w+');
  writeSync(fd, Buffer.concat(content));
  assert.deepEqual(await hasher.hash({ fd, offset: 0, length: content.length * blockBytes }), digest);
  closeSync(fd);
});

test('pieces that come in at the same time, and one that is given up, do not disturb each other', async () => {
  await using hasher = new PieceHasher();
  const blocks = [1, 2, 3].map((value) => Buffer.from(new SharedArrayBuffer(blockBytes)).fill(value));
  const [first, second, third] = blocks;
  assert(first && second && third);
  using even = hasher.incoming();
  using odd = hasher.incoming();
  const lost = hasher.incoming();
  even.update(first.subarray(100, 200));
  lost.update(third);
  odd.update(second);
  lost[Symbol.dispose]();
  even.update(third.subarray(7));
  assert.equal(lost.update(first)(), undefined, 'nobody reads it');
  const digests = await Promise.all([even.digest(), odd.digest()]);
  assert.deepEqual(digests, [expected(first.subarray(100, 200), third.subarray(7)), expected(second)]);
});

test('memory that was hashed and is used no more is freed in both threads', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  await using hasher = new PieceHasher();
  const droppedBytes = 2 ** 20;
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 64; count += 1) {
    const piece = hasher.incoming();
    piece.update(new Uint8Array(new SharedArrayBuffer(droppedBytes)));
    await piece.digest();
  }
  await waitFor('the blocks to be freed', async () => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers - before < 8 * droppedBytes;
  });
});

test('more updates than the thread has room for keep their order', async () => {
  await using hasher = new PieceHasher();
  const block = Buffer.from(new SharedArrayBuffer(blockBytes));
  randomBytes(blockBytes).copy(block);
  using hash = hasher.incoming();
  const parts = Array.from({ length: 3000 }, (_, index) => block.subarray(index, 20 * index + 1));
  const last = parts.map((part) => hash.update(part)).at(-1);
  assert.deepEqual(await hash.digest(), expected(...parts));
  await last?.();
});

test('what a piece takes of native memory is used for the next one', async () => {
  await using hasher = new PieceHasher();
  const block = Buffer.from(new SharedArrayBuffer(blockBytes));
  const hashOne = async (): Promise<void> => {
    using hash = hasher.incoming();
    hash.update(block.subarray(0, 64));
    await hash.digest();
  };
  const hashMany = async (count: number): Promise<number> => {
    for (let done = 0; done < count; done += 1) await hashOne();
    return process.memoryUsage.rss();
  };
  const before = await hashMany(2_000);
  const grownBytes = (await hashMany(30_000)) - before;
  assert.ok(grownBytes < 40 * 2 ** 20, `${Math.round(grownBytes / 2 ** 20)} MiB more`);
});
