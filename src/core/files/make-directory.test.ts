import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeDirectory } from './make-directory.ts';

const root = mkdtempSync(join(tmpdir(), 'make-directory-'));
after(() => rmSync(root, { recursive: true, force: true }));

test('makes what is missing, with the mode, and leaves what is there', () => {
  makeDirectory(join(root, 'a/b/c'), 0o700);
  assert.equal(statSync(join(root, 'a/b/c')).mode & 0o777, 0o700);
  makeDirectory(join(root, 'a/b'), 0o755);
  assert.equal(statSync(join(root, 'a/b')).mode & 0o777, 0o700);
});

test('what is in the way is an error of the system, at once', () => {
  writeFileSync(join(root, 'file'), '');
  assert.throws(() => makeDirectory(join(root, 'file')), { code: 'EEXIST' });
  assert.throws(() => makeDirectory(join(root, 'file/below')), { code: 'ENOTDIR' });
  symlinkSync('nowhere', join(root, 'link'));
  assert.throws(() => makeDirectory(join(root, 'link')), { code: 'EEXIST' });
});

test('a directory that takes none ends it, too', { skip: process.platform !== 'linux' }, () => {
  assert.throws(() => makeDirectory('/proc/nothing/below'), { code: 'PERMISSION_DENIED' });
});
