import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { RateLimiter } from '../../src/core/rate-limiter.ts';
import { pieceSpan } from '../../src/core/piece-layout.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { PieceClient } from '../../src/dfdaemon/transport/piece-client.ts';
import { PieceServer } from '../../src/dfdaemon/transport/piece-server.ts';
import { tags } from '../../src/dfdaemon/transport/vortex.ts';
import { answerFrame, Child, startScript, transportContent } from './fixtures.ts';
import { contentBytes, scratchDirectory, storeContent, taskIdOf } from '../storage/fixtures.ts';

const pieceLengthBytes = 4 * 2 ** 20;
const unlimited = (): RateLimiter => new RateLimiter(Infinity);

describe('one peer to another', () => {
  for (const persistent of [true, false]) {
    for (const useSendfile of [true, false]) {
      test(`whole content, ${persistent ? 'persistent' : 'one request per connection'}, ${useSendfile ? 'sendfile' : 'read and write'}`, async (t) => {
        const content = contentBytes(37 * 2 ** 20 + 123, 5);
        await using parent = await TaskStore.open({ directory: scratchDirectory(t) });
        await using child = await TaskStore.open({ directory: scratchDirectory(t) });
        const id = taskIdOf('transfer');
        await storeContent(parent.open(id, { url: 'http://origin/x' }), content, { pieceLengthBytes });
        await using server = await PieceServer.create({
          store: parent,
          limiter: unlimited(),
          host: '127.0.0.1',
          port: 0,
          useSendfile,
        });
        await using client = PieceClient.create({ limiter: unlimited() });
        const task = child.open(id, { url: 'http://origin/x' });
        task.setLayout({ contentLengthBytes: content.length, pieceLengthBytes });
        const { layout } = task;
        assert(layout);
        const address = { host: '127.0.0.1', port: server.port, persistent, tls: false };
        await Promise.all(
          Array.from({ length: layout.pieceCount }, async (_, number) => {
            await client.fetch({
              address,
              taskId: id,
              piece: pieceSpan(layout, number),
              writer: task.writePiece(number),
              parentId: 'parent',
              signal: AbortSignal.timeout(120_000),
            });
          }),
        );
        task.finish();
        assert(readFileSync(task.content.path).equals(content));
        assert.equal(task.piece(3)?.source, 'parent');
        assert.equal(client.bufferedBytes, 0);
      });
    }
  }
});

test('the piece port is reached over IPv4 and IPv6', async (t) => {
  const content = contentBytes(1000, 6);
  await using parent = await TaskStore.open({ directory: scratchDirectory(t) });
  await using child = await TaskStore.open({ directory: scratchDirectory(t) });
  const id = taskIdOf('dual');
  await storeContent(parent.open(id, { url: 'http://origin/x' }), content, { pieceLengthBytes });
  await using server = await PieceServer.create({ store: parent, limiter: unlimited(), host: '::', port: 0 });
  await using client = PieceClient.create({ limiter: unlimited() });
  for (const host of ['127.0.0.1', '::1']) {
    const task = child.open(id, { url: 'http://origin/x' });
    task.setLayout({ contentLengthBytes: content.length, pieceLengthBytes });
    await client.fetch({
      address: { host, port: server.port, persistent: true, tls: false },
      taskId: id,
      piece: { number: 0, offset: 0, length: content.length },
      writer: task.writePiece(0),
      parentId: host,
      signal: AbortSignal.timeout(120_000),
    });
    assert.equal(task.piece(0)?.source, host);
    task.restart();
  }
});

for (const [imported, tag] of [
  ['persistent cache', tags.downloadPersistentCachePiece],
  ['persistent', tags.downloadPersistentPiece],
] as const)
  test(`a parent of the original is asked for pieces of ${imported} tasks by a tag of their own`, async (t) => {
    const content = transportContent(1000);
    const child = await Child.create(t, content.length);
    const asked: (number | undefined)[] = [];
    const { port } = await startScript(t, (socket) =>
      socket.once('data', (request: Buffer) => {
        asked.push(request[1]);
        socket.end(answerFrame(content, 0, {}, tag + 1));
      }),
    );
    await child.fetch(0, port, { persistent: false, imported });
    assert.deepEqual(asked, [tag]);
    assert.equal(child.task.pieces.count, 1);
  });
