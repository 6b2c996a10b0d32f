import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  createReadStream,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { linkOut } from '../../src/dfdaemon/storage/link-out.ts';
import type { StoredTask } from '../../src/dfdaemon/storage/stored-task.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { contentBytes, hasCode, scratchDirectory, storeContent, taskIdOf } from './fixtures.ts';

const pieceLengthBytes = 4 * 2 ** 20;
const content = contentBytes(2 * pieceLengthBytes + 1000, 9);

async function finishedTask(t: TestContext): Promise<{ store: TaskStore; task: StoredTask; out: string }> {
  const store = await TaskStore.open({ directory: scratchDirectory(t) });
  t.after(() => store[Symbol.asyncDispose]());
  const task = store.open(taskIdOf('linked'), { url: 'http://origin/linked' });
  await storeContent(task, content, { pieceLengthBytes });
  return { store, task, out: scratchDirectory(t) };
}

describe('linking content out', () => {
  test('the first output is a hard link, a second one a file of its own', async (t) => {
    const { task, out } = await finishedTask(t);
    assert.equal(await linkOut(task, join(out, 'first')), 'hard-link');
    assert.equal(statSync(join(out, 'first')).ino, statSync(task.content.path).ino);
    assert.notEqual(await linkOut(task, join(out, 'second')), 'hard-link');
    assert.equal(await linkOut(task, join(out, 'third'), { forceHardLink: true }), 'hard-link');
    for (const name of ['first', 'second', 'third']) {
      assert(readFileSync(join(out, name)).equals(content));
      assert.equal(statSync(join(out, name)).mode & 0o777, 0o644);
    }
    assert.deepEqual(readdirSync(out).sort(), ['first', 'second', 'third']);
    using piece = task.openPiece(0);
    assert.equal(piece.length, pieceLengthBytes);
  });

  test('an output that is edited in place never reaches another peer, and the store heals', async (t) => {
    const { store, task, out } = await finishedTask(t);
    const path = join(out, 'edited');
    await linkOut(task, path);
    const edited = Buffer.from(content);
    edited.write('mine now', pieceLengthBytes + 5);
    writeFileSync(path, edited, { flag: 'r+' });
    assert.throws(() => task.openPiece(1), hasCode('PIECE_UNAVAILABLE'));
    await task.recovered;
    assert.deepEqual([...task.pieces], [0, 2]);
    assert.equal(task.state, 'running');
    await assert.rejects(linkOut(task, join(out, 'other')), hasCode('FAILED_PRECONDITION'));
    const writer = task.writePiece(1);
    await writer.write(content.subarray(pieceLengthBytes, 2 * pieceLengthBytes));
    await writer.commit({ source: 'origin', costMs: 1 });
    task.finish();
    assert(readFileSync(path).equals(edited), 'the healing store must not write into the file of the user');
    assert(readFileSync(task.content.path).equals(content));
    assert.equal(store.usedBytes, content.length);
  });

  test('an edit that puts the modification time back is noticed as well', async (t) => {
    const { task, out } = await finishedTask(t);
    const path = join(out, 'sly');
    await linkOut(task, path);
    const before = lstatSync(path);
    writeFileSync(path, 'x', { flag: 'r+' });
    utimesSync(path, before.atime, before.mtime);
    assert.throws(() => task.openPiece(0), hasCode('PIECE_UNAVAILABLE'));
    await task.recovered;
    assert.deepEqual([...task.pieces], [1, 2]);
  });

  test('an output that is cut short or removed leaves the store right', async (t) => {
    const { task, out } = await finishedTask(t);
    const path = join(out, 'cut');
    await linkOut(task, path);
    truncateSync(path, pieceLengthBytes);
    assert.throws(() => task.openPiece(2), hasCode('PIECE_UNAVAILABLE'));
    await task.recovered;
    assert.deepEqual([...task.pieces], [0]);
    rmSync(path);
    using piece = task.openPiece(0);
    assert.equal(piece.number, 0);
  });

  test('an edited output is noticed by the next start, too', async (t) => {
    const directory = scratchDirectory(t);
    const path = join(scratchDirectory(t), 'output');
    {
      await using store = await TaskStore.open({ directory });
      const task = store.open(taskIdOf('later'), { url: 'http://origin/later' });
      await storeContent(task, content, { pieceLengthBytes });
      await linkOut(task, path);
    }
    writeFileSync(path, 'x', { flag: 'r+' });
    await using store = await TaskStore.open({ directory });
    const task = store.get(taskIdOf('later'));
    assert(task);
    assert.throws(() => task.openPiece(0), hasCode('PIECE_UNAVAILABLE'));
    await task.recovered;
    assert.deepEqual([...task.pieces], [1, 2]);
  });

  test('what stands at the output is replaced only when asked, whole or not at all', async (t) => {
    const { task, out } = await finishedTask(t);
    const path = join(out, 'standing');
    writeFileSync(path, 'old');
    await assert.rejects(linkOut(task, path), hasCode('OUTPUT'));
    assert.equal(readFileSync(path, 'utf8'), 'old');
    await linkOut(task, path, { overwrite: true });
    assert(readFileSync(path).equals(content));
    await linkOut(task, path, { overwrite: true });
    assert(readFileSync(path).equals(content));
    mkdirSync(join(out, 'directory'));
    await assert.rejects(linkOut(task, join(out, 'directory'), { overwrite: true }), hasCode('OUTPUT'));
    await assert.rejects(linkOut(task, join(out, 'no', 'such'), {}), hasCode('OUTPUT'));
    writeFileSync(join(out, 'target'), 'old');
    symlinkSync('target', join(out, 'symlink'));
    await assert.rejects(linkOut(task, join(out, 'symlink')), hasCode('OUTPUT'));
    await linkOut(task, join(out, 'symlink'), { overwrite: true });
    assert(lstatSync(join(out, 'symlink')).isSymbolicLink(), 'a link is followed, as cp and curl do');
    assert(readFileSync(join(out, 'target')).equals(content));
    assert.deepEqual(readdirSync(out).sort(), ['directory', 'standing', 'symlink', 'target']);
  });

  test('a FIFO and a device are written into, never replaced', async (t) => {
    const { task, out } = await finishedTask(t);
    const path = join(out, 'fifo');
    execFileSync('mkfifo', [path]);
    const reader = createReadStream(path).toArray();
    await linkOut(task, path);
    assert(Buffer.concat((await reader) as Buffer[]).equals(content));
    assert(lstatSync(path).isFIFO());
    await assert.rejects(linkOut(task, path, { overwrite: true, forceHardLink: true }), hasCode('OUTPUT'));
    await assert.rejects(linkOut(task, path, { signal: AbortSignal.timeout(1) }), hasCode('DEADLINE_EXCEEDED'));
    if (process.geteuid?.() !== 0) return;
    execFileSync('mknod', [join(out, 'null'), 'c', '1', '3']);
    symlinkSync('null', join(out, 'to-null'));
    await linkOut(task, join(out, 'null'), { overwrite: true });
    await linkOut(task, join(out, 'to-null'), { overwrite: true });
    assert(lstatSync(join(out, 'null')).isCharacterDevice());
    assert.deepEqual(readdirSync(out).sort(), ['fifo', 'null', 'to-null']);
  });

  test('other permissions or another owner get a file of their own', async (t) => {
    const { task, out } = await finishedTask(t);
    assert.notEqual(await linkOut(task, join(out, 'private'), { mode: 0o600 }), 'hard-link');
    assert.equal(statSync(join(out, 'private')).mode & 0o777, 0o600);
    if (process.geteuid?.() === 0) {
      assert.notEqual(await linkOut(task, join(out, 'theirs'), { uid: 12_345, gid: 54_321 }), 'hard-link');
      const { uid, gid } = statSync(join(out, 'theirs'));
      assert.deepEqual([uid, gid], [12_345, 54_321]);
    }
    assert.equal(statSync(task.content.path).nlink, 1);
  });

  test('empty content is an empty file', async (t) => {
    const { store, out } = await finishedTask(t);
    const task = store.open(taskIdOf('nothing'), { url: 'http://origin/nothing' });
    task.setLayout({ contentLengthBytes: 0, pieceLengthBytes });
    task.finish();
    await linkOut(task, join(out, 'empty'));
    assert.equal(statSync(join(out, 'empty')).size, 0);
  });

  test('links made behind our back are noticed', async (t) => {
    const { task, out } = await finishedTask(t);
    await linkOut(task, join(out, 'one'));
    linkSync(join(out, 'one'), join(out, 'two'));
    chmodSync(join(out, 'two'), 0o600);
    assert.throws(() => task.openPiece(0), hasCode('PIECE_UNAVAILABLE'));
    await task.recovered;
    assert.equal(task.state, 'finished');
    assert.notEqual(statSync(join(out, 'two')).ino, statSync(task.content.path).ino);
  });
});
