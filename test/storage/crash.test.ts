import assert from 'node:assert/strict';
import { cpSync, openSync, readdirSync, writeSync, closeSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { crashOnce, type Acknowledged } from './crash-harness.ts';
import { contentBytes, scratchDirectory, storeContent, taskIdOf } from './fixtures.ts';

const lives = 20;
const pieceLengthBytes = 4 * 2 ** 20;

describe('after an unclean stop', () => {
  test(`a writer killed at ${lives} random instants has lost nothing it acknowledged`, async (t) => {
    const directory = scratchDirectory(t);
    const acknowledged: Acknowledged = new Map();
    const seed = Math.floor(Math.random() * 1e6);
    t.diagnostic(`seed ${seed}`);
    let checked = 0;
    for (let life = 0; life < lives; life += 1) {
      const report = await crashOnce(directory, seed + life, acknowledged);
      checked += report.storedPieces;
    }
    assert(checked > 0, 'no piece was ever written');
    assert.deepEqual(readdirSync(join(directory, 'trash')), []);
  });

  test('pieces that were not flushed are verified, right ones return, wrong ones are fetched again', async (t) => {
    const live = scratchDirectory(t);
    const copy = join(scratchDirectory(t), 'copy');
    const id = taskIdOf('unflushed');
    const content = contentBytes(3 * pieceLengthBytes, 4);
    await using store = await TaskStore.open({ directory: live });
    const task = store.open(id, { url: 'http://origin/u' });
    task.setLayout({ contentLengthBytes: content.length, pieceLengthBytes });
    for (const number of [0, 1, 2]) {
      const writer = task.writePiece(number);
      await writer.write(content.subarray(number * pieceLengthBytes, (number + 1) * pieceLengthBytes));
      await writer.commit({ source: 'origin', costMs: 1 });
    }
    cpSync(live, copy, { recursive: true }); // what a disk may hold when the power fails
    const file = openSync(join(copy, 'content', 'tasks', id.slice(0, 3), id), 'r+');
    writeSync(file, 'torn', pieceLengthBytes + 77);
    closeSync(file);

    await using restarted = await TaskStore.open({ directory: copy });
    const recovered = restarted.get(id);
    assert(recovered);
    const seen: number[] = [];
    recovered.onPiece((piece) => seen.push(piece.number));
    await recovered.recovered;
    assert.equal(seen.includes(1), false); // the first may have been verified while the store was being opened
    assert.deepEqual([...recovered.pieces], [0, 2]);
    assert.equal(restarted.usedBytes, 2 * pieceLengthBytes);
    const writer = recovered.writePiece(1);
    await writer.write(content.subarray(pieceLengthBytes, 2 * pieceLengthBytes));
    await writer.commit({ source: 'origin', costMs: 1 });
    recovered.finish();
  });

  test('a piece under verification can be written again at once', async (t) => {
    const live = scratchDirectory(t);
    const copy = join(scratchDirectory(t), 'copy');
    const id = taskIdOf('impatient');
    const content = contentBytes(2 * pieceLengthBytes, 5);
    await using store = await TaskStore.open({ directory: live });
    const task = store.open(id, { url: 'http://origin/i' });
    task.setLayout({ contentLengthBytes: content.length, pieceLengthBytes });
    for (const number of [0, 1]) {
      const writer = task.writePiece(number);
      await writer.write(content.subarray(number * pieceLengthBytes, (number + 1) * pieceLengthBytes));
      await writer.commit({ source: 'origin', costMs: 1 });
    }
    cpSync(live, copy, { recursive: true });
    await using restarted = await TaskStore.open({ directory: copy });
    const recovering = restarted.get(id);
    assert(recovering);
    const writer = recovering.writePiece(1);
    await writer.write(content.subarray(pieceLengthBytes));
    await Promise.all([recovering.recovered, writer.commit({ source: 'again', costMs: 1 })]);
    assert.deepEqual([...recovering.pieces], [0, 1]);
    assert.equal(recovering.piece(1)?.source, 'again');
    assert.equal(restarted.usedBytes, content.length);
  });

  test('content that has vanished takes its pieces along', async (t) => {
    const directory = scratchDirectory(t);
    const id = taskIdOf('vanished');
    {
      await using store = await TaskStore.open({ directory });
      await storeContent(store.open(id, { url: 'http://origin/v' }), contentBytes(100, 1), { pieceLengthBytes });
    }
    rmSync(join(directory, 'content', 'tasks', id.slice(0, 3), id));
    await using store = await TaskStore.open({ directory });
    await store.recovered();
    assert.equal(store.get(id)?.pieces.count, 0);
    assert.equal(store.get(id)?.state, 'running');
    assert.equal(store.usedBytes, 0);
  });
});
