import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync, writeFileSync, utimesSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ContentFile } from './content-file.ts';

test('writes of others are told from own ones, once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'df-content-'));
  try {
    const file = new ContentFile(join(directory, 'content'), async () => false);
    const use = file.acquire(true);
    await use.write([Buffer.from('own ')], 0);
    await use.write([Buffer.from('words')], 4);
    assert.equal(file.hasForeignWrites, false);
    // Another process writes between two of our own writes, and after the last one.
    writeFileSync(file.path, 'X', { flag: 'r+' });
    utimesSync(file.path, 1, 1); // makes the change visible however coarse the file system's clock is
    await use.write([Buffer.from('!')], 9);
    assert.equal(file.hasForeignWrites, true);
    assert.equal(file.takeForeignWrites(), true);
    assert.equal(file.takeForeignWrites(), false);
    utimesSync(file.path, 2, 2);
    assert.equal(file.takeForeignWrites(), true);
    assert.equal(file.takeForeignWrites(), false);
    await use.write([Buffer.from('?')], 10);
    assert.equal(file.hasForeignWrites, false);
    use.release();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('what lies behind the end of a whole file is given back, and a write of others before that is not forgotten', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'df-content-'));
  try {
    const file = new ContentFile(join(directory, 'content'), async () => false);
    const use = file.acquire(true);
    // Preallocates space, as xfs does by itself for growing files.
    const setAside = (): unknown => execFileSync('fallocate', ['--keep-size', '--length', '1MiB', file.path]);
    setAside();
    await use.write([Buffer.alloc(5000, 1)], 0);
    await use.write([Buffer.from('!')], 5000);
    assert.ok(statSync(file.path).blocks * 512 >= 2 ** 20);
    file.end();
    const { size, blocks } = statSync(file.path);
    assert.equal(size, 5001);
    assert.ok(blocks * 512 < 64 * 1024, `${blocks}`);
    assert.equal(file.hasForeignWrites, false);
    setAside();
    utimesSync(file.path, 1, 1);
    file.end();
    assert.equal(file.hasForeignWrites, true);
    use.release();
  } finally {
    await rm(directory, { recursive: true });
  }
});
