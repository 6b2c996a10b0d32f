/** Sizes and numbers at the far end: offsets past 100 GiB, thousands of tasks, many children, bounded memory. */
import assert from 'node:assert/strict';
import { readSync } from 'node:fs';
import { describe, test } from 'node:test';
import { pieceSpan } from '../../src/core/piece-layout.ts';
import { RateLimiter } from '../../src/core/rate-limiter.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { PieceClient } from '../../src/dfdaemon/transport/piece-client.ts';
import { PieceServer } from '../../src/dfdaemon/transport/piece-server.ts';
import { contentBytes, scratchDirectory, storeContent, taskIdOf } from '../storage/fixtures.ts';
import { Child, pieceLengthBytes, startParent, taskId, transportContent, unlimited } from './fixtures.ts';

describe('scale', () => {
  test('DF2-19 pieces of a 100 GiB file are at their offsets on both ends, the rest is a hole', async (t) => {
    const contentLengthBytes = 100 * 2 ** 30 + 12_345;
    const layout = { contentLengthBytes, pieceLengthBytes: 64 * 2 ** 20 };
    await using parent = await TaskStore.open({ directory: scratchDirectory(t) });
    await using child = await TaskStore.open({ directory: scratchDirectory(t) });
    const given = parent.open(taskId, { url: 'http://origin/huge' });
    const taken = child.open(taskId, { url: 'http://origin/huge' });
    given.setLayout(layout);
    taken.setLayout(layout);
    await using server = await PieceServer.create({ store: parent, limiter: unlimited(), host: '127.0.0.1', port: 0 });
    await using client = PieceClient.create({ limiter: unlimited() });
    assert(taken.layout);
    const last = taken.layout.pieceCount - 1;
    assert.equal(last, 1600);
    const bytes = contentBytes(64 * 2 ** 20, 3);
    for (const number of [last, 1000]) {
      const piece = pieceSpan(taken.layout, number);
      const writer = given.writePiece(number);
      await writer.write(bytes.subarray(0, piece.length));
      await writer.commit({ source: 'origin', costMs: 1 });
      await client.fetch({
        address: { host: '127.0.0.1', port: server.port, persistent: true, tls: false },
        taskId,
        piece,
        writer: taken.writePiece(number),
        parentId: 'parent',
        signal: AbortSignal.timeout(120_000),
      });
      using stored = taken.openPiece(number);
      const found = Buffer.alloc(piece.length);
      readSync(stored.fd, found, 0, found.length, number * 64 * 2 ** 20);
      assert(found.equals(bytes.subarray(0, piece.length)));
    }
    assert.equal(child.usedBytes, 64 * 2 ** 20 + 12_345);
  });

  test('thousands of small tasks are stored, listed, served and opened again', async (t) => {
    const count = Number(process.env['DRAGONFLY_SMALL_TASKS'] ?? 3000);
    const directory = scratchDirectory(t);
    const size = (index: number): number => 1 + ((index * 7919) % 3000);
    {
      await using store = await TaskStore.open({ directory });
      const put = async (index: number): Promise<void> => {
        const task = store.open(taskIdOf(`small ${index}`), { url: `http://origin/${index}` });
        await storeContent(task, contentBytes(size(index), index), { pieceLengthBytes });
      };
      for (let index = 0; index < count; index += 50) {
        await Promise.all(Array.from({ length: 50 }, (_, more) => put(index + more)));
      }
    }
    await using store = await TaskStore.open({ directory });
    await store.recovered();
    assert.equal(store.list().filter((task) => task.state === 'finished').length, count);
    await using server = await PieceServer.create({ store, limiter: unlimited(), host: '127.0.0.1', port: 0 });
    await using client = PieceClient.create({ limiter: unlimited() });
    await using other = await TaskStore.open({ directory: scratchDirectory(t) });
    for (let index = 0; index < count; index += 500) {
      const id = taskIdOf(`small ${index}`);
      const task = other.open(id, { url: `http://origin/${index}` });
      task.setLayout({ contentLengthBytes: size(index), pieceLengthBytes });
      await client.fetch({
        address: { host: '127.0.0.1', port: server.port, persistent: true, tls: false },
        taskId: id,
        piece: { number: 0, offset: 0, length: size(index) },
        writer: task.writePiece(0),
        parentId: 'parent',
        signal: AbortSignal.timeout(120_000),
      });
      assert.equal(task.piece(0)?.crc32, store.get(id)?.piece(0)?.crc32);
    }
  });

  test('many children at once are all served, out of bounded memory', async (t) => {
    const content = transportContent(3 * pieceLengthBytes);
    const { server } = await startParent(t, content);
    const children = await Promise.all(
      Array.from({ length: 32 }, () => Child.create(t, content.length, { poolBytes: 4 * 2 ** 20 })),
    );
    let buffered = 0;
    await Promise.all(
      children.map(async (child) => {
        child.task.onPiece(() => (buffered = Math.max(buffered, child.client.bufferedBytes)));
        await Promise.all([0, 1, 2].map((number) => child.fetch(number, server.port)));
        child.task.finish();
      }),
    );
    assert(buffered <= 4 * 2 ** 20, `${buffered} bytes were buffered`);
    assert(children.every((child) => child.client.bufferedBytes === 0));
  });

  test('many requests at once wait for connections and memory in turn', async (t) => {
    const content = transportContent(40 * pieceLengthBytes);
    const { server } = await startParent(t, content);
    const child = await Child.create(t, content.length, { poolBytes: 2 * 2 ** 20 });
    await Promise.all(Array.from({ length: 40 }, (_, number) => child.fetch(number, server.port)));
    child.task.finish();
    assert(child.client.connectionCount <= 2);
  });

  test('the rate limits of both ends are kept', async (t) => {
    const content = transportContent(2 * pieceLengthBytes);
    /** Time that only goes by when the limiter sleeps: what it let through is then exact. */
    const clock = {
      now: 0,
      nowMs: () => clock.now,
      sleep: (ms: number) => {
        clock.now += ms;
        return Promise.resolve();
      },
    };
    const rate = 2 ** 20;
    const { server } = await startParent(t, content, { limiter: new RateLimiter(rate, rate / 10, clock) });
    const child = await Child.create(t, content.length);
    for (const number of [0, 1]) await child.fetch(number, server.port);
    const atServer = clock.now;
    assert(atServer >= 6900 && atServer <= 8100, `8 MiB at 1 MiB/s took ${atServer} ms of the server's clock`);
    clock.now = 0;
    const limited = await Child.create(t, content.length, { limiter: new RateLimiter(rate, rate / 10, clock) });
    const fast = await startParent(t, content);
    for (const number of [0, 1]) await limited.fetch(number, fast.server.port);
    assert(clock.now >= 6900 && clock.now <= 8200, `8 MiB at 1 MiB/s took ${clock.now} ms of the client's clock`);
  });
});
