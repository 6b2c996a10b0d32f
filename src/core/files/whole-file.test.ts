import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { writeWholeFile } from './whole-file.ts';

test('a file is replaced as a whole, with the mode that is asked for', async () => {
  await using directory = await temporaryDirectory();
  const path = directory.join('file');
  writeFileSync(path, 'old', { mode: 0o600 });
  await writeWholeFile(path, 'new', { mode: 0o664 });
  assert.equal(readFileSync(path, 'utf8'), 'new');
  assert.equal(statSync(path).mode & 0o777, 0o664);
  assert.deepEqual(readdirSync(directory.path), ['file']);
});

test('what cannot be put in place leaves nothing behind', async () => {
  await using directory = await temporaryDirectory();
  mkdirSync(directory.join('standing', 'inside'), { recursive: true });
  await assert.rejects(writeWholeFile(directory.join('standing'), 'new', { mode: 0o600 }));
  assert.deepEqual(readdirSync(directory.path), ['standing']);
});
