import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { waitFor } from '../support/wait-for.ts';
import { contentBytes, hasCode, scratchDirectory, storeContent, taskIdOf } from './fixtures.ts';

const pieceLengthBytes = 4 * 2 ** 20;

describe('the task store', () => {
  test('pieces written in any order are there after a restart', async (t) => {
    const directory = scratchDirectory(t);
    const content = contentBytes(10 * 2 ** 20 + 17, 1);
    const id = taskIdOf('any order');
    {
      await using store = await TaskStore.open({ directory });
      const task = store.open(id, { url: 'http://origin/a', tag: 't' });
      const seen: number[] = [];
      task.onPiece((piece) => seen.push(piece.number));
      await storeContent(task, content, { pieceLengthBytes, order: [2, 0, 1] });
      assert.deepEqual(seen, [2, 0, 1]);
      assert.equal(task.state, 'finished');
      assert.equal(store.usedBytes, content.length);
    }
    await using store = await TaskStore.open({ directory });
    const task = store.get(id);
    assert(task);
    assert.equal(task.state, 'finished');
    assert.equal(task.identity.tag, 't');
    assert.deepEqual([...task.pieces], [0, 1, 2]);
    assert.equal(store.usedBytes, content.length);
    using piece = task.openPiece(1);
    assert.deepEqual([piece.offset, piece.length], [pieceLengthBytes, pieceLengthBytes]);
    assert.equal(piece.crc32, crc32(content.subarray(pieceLengthBytes, 2 * pieceLengthBytes)));
    assert(readFileSync(task.content.path).equals(content));
  });

  test('after a crash a task was used when its last piece came, and what was written behind a flush is read again', async (t) => {
    let wallMs = 1_000_000;
    const time = { monotonicMs: () => performance.now(), wallMs: () => wallMs };
    const directory = scratchDirectory(t);
    const crashed = scratchDirectory(t);
    const id = taskIdOf('crashed');
    const content = contentBytes(2 * pieceLengthBytes, 3);
    await using store = await TaskStore.open({ directory, time });
    const task = store.open(id, { url: 'http://origin/c' });
    await storeContent(task, content, { pieceLengthBytes });
    await waitFor('the flush', () => task.record.row.synced === 1);
    const lost = task.piece(1);
    assert(lost);
    task.index.dropCorrupt(lost);
    wallMs += 5_000;
    const writer = task.writePiece(1);
    for (let at = pieceLengthBytes; at < content.length; at += 2 ** 20)
      await writer.write(content.subarray(at, at + 2 ** 20));
    await writer.commit({ source: 'origin', costMs: 1 });
    cpSync(directory, crashed, { recursive: true });
    await using next = await TaskStore.open({ directory: crashed, time });
    const left = next.get(id);
    assert(left);
    assert.equal(left.times.updatedMs, wallMs);
    assert.equal(left.record.row.synced, 0, 'it is ahead of the disk');
    await left.recovered;
    assert.deepEqual([...left.pieces], [0, 1]);
  });

  test('a piece with the wrong digest, too few or too many bytes stays absent and can be written again', async (t) => {
    await using store = await TaskStore.open({ directory: scratchDirectory(t) });
    const task = store.open(taskIdOf('bad piece'), { url: 'http://origin/b' });
    task.setLayout({ contentLengthBytes: 1000, pieceLengthBytes });
    const bad = task.writePiece(0);
    assert.throws(() => task.writePiece(0), hasCode('IN_USE'));
    void bad.write(Buffer.alloc(1000));
    await assert.rejects(bad.commit({ source: 'origin', costMs: 1, expectedCrc32: 1 }), hasCode('DIGEST_MISMATCH'));
    const short = task.writePiece(0);
    void short.write(Buffer.alloc(999));
    await assert.rejects(short.commit({ source: 'origin', costMs: 1 }), hasCode('FAILED_PRECONDITION'));
    const long = task.writePiece(0);
    assert.throws(() => void long.write(Buffer.alloc(1001)), hasCode('PROTOCOL'));
    await long.abort();
    assert.equal(task.pieces.count, 0);
    assert.throws(() => task.openPiece(0), hasCode('PIECE_UNAVAILABLE'));
    assert.throws(() => task.finish(), hasCode('FAILED_PRECONDITION'));
    await storeContent(task, Buffer.alloc(1000, 7), { pieceLengthBytes });
    assert.equal(task.piece(0)?.crc32, crc32(Buffer.alloc(1000, 7)));
    assert.throws(() => task.writePiece(0), hasCode('ALREADY_EXISTS'));
    assert.equal(task.inUse, false);
  });

  test('content of unknown length grows until it is finished', async (t) => {
    await using store = await TaskStore.open({ directory: scratchDirectory(t) });
    const task = store.open(taskIdOf('chunked'), { url: 'http://origin/chunked' });
    task.setLayout({ pieceLengthBytes });
    const content = contentBytes(pieceLengthBytes + 5, 2);
    for (const number of [0, 1]) {
      const writer = task.writePiece(number);
      for (
        let at = number * pieceLengthBytes;
        at < Math.min(content.length, (number + 1) * pieceLengthBytes);
        at += 70_000
      ) {
        await writer.write(
          content.subarray(at, Math.min(at + 70_000, (number + 1) * pieceLengthBytes, content.length)),
        );
      }
      await writer.commit({ source: 'origin', costMs: 3 });
    }
    assert.equal(task.contentLengthBytes, undefined);
    assert.throws(() => task.finish({ contentLengthBytes: content.length + 1 }), hasCode('FAILED_PRECONDITION'));
    task.finish({ contentLengthBytes: content.length });
    assert.equal(task.layout?.pieceCount, 2);
    assert(readFileSync(task.content.path).equals(content));
  });

  test('empty content is a task of no pieces', async (t) => {
    await using store = await TaskStore.open({ directory: scratchDirectory(t) });
    const task = store.open(taskIdOf('empty'), { url: 'http://origin/empty' });
    task.setLayout({ contentLengthBytes: 0, pieceLengthBytes });
    task.finish();
    assert.equal(task.state, 'finished');
  });

  test('a task in use is removed when its last user is done', async (t) => {
    await using store = await TaskStore.open({ directory: scratchDirectory(t) });
    const id = taskIdOf('removal');
    const task = store.open(id, { url: 'http://origin/r' });
    await storeContent(task, contentBytes(100, 3), { pieceLengthBytes });
    await store.verify(task);
    const piece = task.openPiece(0);
    assert.equal(store.remove(id), 'deferred');
    assert.equal(store.get(id), task);
    piece.close();
    assert.equal(store.get(id), undefined);
    assert.equal(store.usedBytes, 0);
    assert.throws(() => task.writePiece(0), hasCode('NOT_FOUND'));
    assert.equal(store.remove(id), 'absent');
    const again = store.open(id, { url: 'http://origin/r' });
    assert.equal(again.pieces.count, 0);
  });

  test('keepStorage false starts and ends empty', async (t) => {
    const directory = scratchDirectory(t);
    {
      await using store = await TaskStore.open({ directory });
      await storeContent(store.open(taskIdOf('kept'), { url: 'http://origin/k' }), contentBytes(100, 3), {
        pieceLengthBytes,
      });
    }
    {
      await using store = await TaskStore.open({ directory, keepStorage: false });
      assert.equal(store.taskCount, 0);
      await storeContent(store.open(taskIdOf('gone'), { url: 'http://origin/g' }), contentBytes(100, 3), {
        pieceLengthBytes,
      });
    }
    assert.deepEqual(readdirSync(join(directory, 'trash')), []);
    await using store = await TaskStore.open({ directory });
    assert.equal(store.taskCount, 0);
  });

  test('a second daemon on the same directory is told so, in this process and in another', async (t) => {
    const directory = scratchDirectory(t);
    {
      await using _store = await TaskStore.open({ directory });
      await assert.rejects(TaskStore.open({ directory }), hasCode('IN_USE'));
      const script = `import { TaskStore } from ${JSON.stringify(import.meta.resolve('../../src/dfdaemon/storage/task-store.ts'))};
      await TaskStore.open({ directory: process.argv[1] }).catch((error) => { process.stdout.write(error.code); });`;
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, directory]);
      let output = '';
      child.stdout.on('data', (chunk) => (output += String(chunk)));
      await once(child, 'close');
      assert.equal(output, 'IN_USE');
    }
    await using _store = await TaskStore.open({ directory });
  });

  test('DF2-5 directories of others, links and world-writable directories are refused', async (t) => {
    const base = scratchDirectory(t);
    const open = join(base, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    await assert.rejects(TaskStore.open({ directory: open }), hasCode('PERMISSION_DENIED'));
    const link = join(base, 'link');
    mkdirSync(join(base, 'real'), { mode: 0o700 });
    symlinkSync(join(base, 'real'), link);
    await assert.rejects(TaskStore.open({ directory: link }), hasCode('PERMISSION_DENIED'));
    const readable = join(base, 'readable');
    mkdirSync(readable);
    chmodSync(readable, 0o755);
    await using _store = await TaskStore.open({ directory: readable });
    assert.equal(statSync(readable).mode & 0o777, 0o700);
  });
});
