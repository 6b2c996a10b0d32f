import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { ContentFile } from './content-file.ts';
import { writePartBytes } from './write-part.ts';

test('no system call writes more than a part, however the bytes come', async (context) => {
  await using directory = await temporaryDirectory();
  const part = writePartBytes(performance.now());
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
    const sizes = [part * 4, part - 1, 5, part / 2, 0, 3 * part + 7];
    const buffers = sizes.map((size, index) => Buffer.alloc(size, index + 1));
    const use = file.acquire(true);
    await use.write(buffers, 11);
    use.release();
    assert.deepEqual(fs.readFileSync(file.path), Buffer.concat([Buffer.alloc(11), ...buffers]));
    const most = Math.max(part, writePartBytes(performance.now())); // memory may have changed meanwhile
    assert.ok(calls.length > 0 && calls.every((bytes) => bytes > 0 && bytes <= most), calls.join(', '));
  } finally {
    context.mock.reset();
    syncBuiltinESMExports();
  }
});
