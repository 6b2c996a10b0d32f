import assert from 'node:assert/strict';
import type { FileHandle } from 'node:fs/promises';
import { test } from 'node:test';
import { longestWriteBytes } from '../../core/files/longest-write.ts';
import { writeAll } from './file-pool.ts';

test('all bytes are written, in parts that are no longer than they should be, whatever the file takes of each', async () => {
  const most = 300_000;
  const parts: [from: number, count: number, position: number][] = [];
  const file = {
    write: (_: Uint8Array, from: number, count: number, position: number) => {
      parts.push([from, count, position]);
      return Promise.resolve({ bytesWritten: Math.min(count, most) });
    },
  } as unknown as FileHandle;
  await writeAll(file, new Uint8Array(longestWriteBytes + most), 7);
  assert.deepEqual(parts, [
    [0, longestWriteBytes, 7],
    [most, longestWriteBytes, 7 + most],
    [2 * most, longestWriteBytes - most, 7 + 2 * most],
  ]);
});
