import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { ContentFile } from './content-file.ts';
import { writePartBytes } from './limits.ts';

test('no system call writes more than a part, however the bytes come', async (context) => {
  await using directory = await temporaryDirectory();
  const calls: number[] = [];
  const { write, writev } = fs;
  context.mock.method(fs, 'write', (...args: [number, Buffer, number, number, number, () => void]) => {
    calls.push(args[3]);
    write(...args);
  });
  context.mock.method(fs, 'writev', (...args: [number, Buffer[], number, () => void]) => {
    calls.push(args[1].reduce((sum, { byteLength }) => sum + byteLength, 0));
    writev(...args);
  });
  syncBuiltinESMExports();
  try {
    const file = new ContentFile(directory.join('content'), () => Promise.resolve(false));
    const sizes = [writePartBytes * 4, writePartBytes - 1, 5, writePartBytes / 2, 0, 3 * writePartBytes + 7];
    const buffers = sizes.map((size, index) => Buffer.alloc(size, index + 1));
    const use = file.acquire(true);
    await use.write(buffers, 11);
    use.release();
    assert.deepEqual(fs.readFileSync(file.path), Buffer.concat([Buffer.alloc(11), ...buffers]));
    assert.ok(calls.length > 0 && calls.every((bytes) => bytes > 0 && bytes <= writePartBytes), calls.join(', '));
  } finally {
    context.mock.reset();
    syncBuiltinESMExports();
  }
});
