/** Disks that are full, cannot be written or cannot be read. The small file systems need root; without it they are skipped. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test, type TestContext } from 'node:test';
import { Collector } from '../../src/dfdaemon/storage/collector.ts';
import { linkOut } from '../../src/dfdaemon/storage/link-out.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { contentBytes, hasCode, scratchDirectory, storeContent, taskIdOf } from './fixtures.ts';

const pieceLengthBytes = 4 * 2 ** 20;
const skip = process.geteuid?.() === 0 ? false : 'needs root to mount';

function mountSmall(t: TestContext, mebibytes: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'dragonfly-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'dragonfly-test', directory]);
  t.after(() => {
    execFileSync('umount', ['-l', directory]);
    rmdirSync(directory);
  });
  return directory;
}

describe('DF2-7 a full disk', { skip }, () => {
  test('is a clear error, leaves no half piece, and is over when space is freed', async (t) => {
    const directory = mountSmall(t, 24);
    await using store = await TaskStore.open({ directory });
    const first = store.open(taskIdOf('first'), { url: 'http://origin/first' });
    await storeContent(first, contentBytes(3 * pieceLengthBytes, 1), { pieceLengthBytes });
    const second = store.open(taskIdOf('second'), { url: 'http://origin/second' });
    const content = contentBytes(4 * pieceLengthBytes, 2);
    await assert.rejects(storeContent(second, content, { pieceLengthBytes }), hasCode('NO_SPACE'));
    assert(second.pieces.count < 4);
    assert.equal(second.state, 'running');
    assert.deepEqual(store.remove(first.id), 'removed');
    await store.removalsDone();
    for (let number = 0; number < 4; number += 1) {
      if (second.pieces.has(number) || second.incoming(number)) continue;
      const writer = second.writePiece(number);
      await writer.write(content.subarray(number * pieceLengthBytes, (number + 1) * pieceLengthBytes));
      await writer.commit({ source: 'origin', costMs: 1 });
    }
    second.finish();
    await store.verify(second);
    assert.equal(second.state, 'finished');
  });

  test('in the metadata: removing still works and frees the space', async (t) => {
    const directory = mountSmall(t, 16);
    await using store = await TaskStore.open({ directory });
    const task = store.open(taskIdOf('victim'), { url: 'http://origin/victim' });
    await storeContent(task, contentBytes(2 * pieceLengthBytes, 3), { pieceLengthBytes });
    await store.verify(task);
    assert.throws(() => writeFileSync(join(directory, 'ballast'), Buffer.alloc(32 * 2 ** 20)), { code: 'ENOSPC' });
    let refused: unknown;
    for (let index = 0; index < 2000 && refused === undefined; index += 1) {
      try {
        store.open(taskIdOf(`filler ${index}`), { url: `http://origin/${'x'.repeat(3000)}` });
      } catch (error) {
        refused = error;
      }
    }
    assert(hasCode('NO_SPACE')(refused), String(refused));
    assert.equal(store.remove(task.id), 'removed');
    await store.removalsDone();
    const again = store.open(task.id, { url: 'http://origin/victim' });
    assert.equal(again.pieces.count, 0);
    await storeContent(again, contentBytes(pieceLengthBytes, 4), { pieceLengthBytes });
    assert.equal(again.piece(0)?.length, pieceLengthBytes);
  });

  test('is foreseen: room is made by eviction, or the download is refused before it begins', async (t) => {
    const directory = mountSmall(t, 24);
    await using store = await TaskStore.open({ directory });
    const collector = Collector.create({ store, policy: { highPercent: 100 } });
    const old = store.open(taskIdOf('old'), { url: 'http://origin/old' });
    await storeContent(old, contentBytes(3 * pieceLengthBytes, 1), { pieceLengthBytes });
    await assert.rejects(collector.makeRoom(100 * 2 ** 20), hasCode('NO_SPACE'));
    const next = store.open(taskIdOf('next'), { url: 'http://origin/next' });
    await collector.makeRoom(4 * pieceLengthBytes);
    await storeContent(next, contentBytes(4 * pieceLengthBytes, 2), { pieceLengthBytes });
    assert.equal(next.state, 'finished');
  });

  test('under the output: an error, and nothing half-written stays', async (t) => {
    const out = mountSmall(t, 2);
    await using store = await TaskStore.open({ directory: scratchDirectory(t) });
    const task = store.open(taskIdOf('big'), { url: 'http://origin/big' });
    await storeContent(task, contentBytes(pieceLengthBytes, 1), { pieceLengthBytes });
    await assert.rejects(linkOut(task, join(out, 'output')), hasCode('NO_SPACE'));
    writeFileSync(join(out, 'proof'), Buffer.alloc(2 ** 20)); // the temporary file is gone
  });
});

describe('DF2-7 a disk that cannot be written', { skip }, () => {
  test('is a clear error at start, and over when it is mounted again', async (t) => {
    const directory = mountSmall(t, 16);
    {
      await using store = await TaskStore.open({ directory });
      await storeContent(store.open(taskIdOf('kept'), { url: 'http://origin/kept' }), contentBytes(1000, 1), {
        pieceLengthBytes,
      });
    }
    execFileSync('mount', ['-o', 'remount,ro', directory]);
    await assert.rejects(TaskStore.open({ directory }), hasCode('STORAGE'));
    execFileSync('mount', ['-o', 'remount,rw', directory]);
    await using store = await TaskStore.open({ directory });
    assert.equal(store.get(taskIdOf('kept'))?.state, 'finished');
  });
});

describe('metadata', () => {
  test('of a newer release is refused with a clear error', async (t) => {
    const newer = scratchDirectory(t);
    const database = new DatabaseSync(join(newer, 'metadata.sqlite'));
    database.exec('PRAGMA user_version = 99');
    database.close();
    await assert.rejects(TaskStore.open({ directory: newer }), hasCode('STORAGE'));
  });
});
