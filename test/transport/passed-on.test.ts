/** A piece that a parent passes on while it is still getting it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { crc32 } from 'node:zlib';
import type { PieceWriter } from '../../src/dfdaemon/storage/pieces/piece-writer.ts';
import type { StoredTask } from '../../src/dfdaemon/storage/stored-task.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { PieceServer, type PieceServerOptions } from '../../src/dfdaemon/transport/piece-server.ts';
import { encodeChunkHeader, encodePieceHead, tags } from '../../src/dfdaemon/transport/vortex.ts';
import { hasCode, scratchDirectory } from '../storage/fixtures.ts';
import {
  answerFrame,
  Child,
  onRequests,
  pieceLengthBytes,
  startScript,
  taskId,
  transportContent,
  unlimited,
} from './fixtures.ts';

const content = transportContent(pieceLengthBytes + 321);
const half = pieceLengthBytes / 2;
const streamed = { streamed: true };

/** A parent that has begun piece 0 and has nothing else. */
async function startIncomplete(
  t: TestContext,
  options: Partial<PieceServerOptions> = {},
): Promise<{ port: number; task: StoredTask; writer: PieceWriter }> {
  const store = await TaskStore.open({ directory: scratchDirectory(t) });
  t.after(() => store[Symbol.asyncDispose]());
  const task = store.open(taskId, { url: 'http://origin/x' });
  task.setLayout({ contentLengthBytes: content.length, pieceLengthBytes });
  return { port: await serve(t, store, options), task, writer: task.writePiece(0) };
}

async function serve(t: TestContext, store: TaskStore, options: Partial<PieceServerOptions> = {}): Promise<number> {
  const server = await PieceServer.create({ store, limiter: unlimited(), host: '127.0.0.1', port: 0, ...options });
  t.after(() => server[Symbol.asyncDispose]());
  return server.port;
}

async function bring(writer: PieceWriter, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 64 * 1024) {
    await writer.writeBlock(content.subarray(at, Math.min(to, at + 64 * 1024)));
    writer.vouch();
  }
}

function shownOf(task: StoredTask): number {
  return task.incoming(0)?.markAfter(0)?.bytes ?? 0;
}

/** Waits until so much of piece 0 can be read. */
function shown(task: StoredTask, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (shownOf(task) === bytes) resolve();
    };
    task.incoming(0)?.onProgress(look);
    look();
  });
}

function firstPieceOf(task: StoredTask): Buffer {
  return readFileSync(task.content.path).subarray(0, pieceLengthBytes);
}

describe('a piece on its way', { timeout: 120_000 }, () => {
  for (const useSendfile of [true, false]) {
    test(`reaches child and grandchild before it is complete (${useSendfile ? 'sendfile' : 'read and write'})`, async (t) => {
      const { port, writer } = await startIncomplete(t, { useSendfile });
      const child = await Child.create(t, content.length);
      const grandchild = await Child.create(t, content.length);
      await bring(writer, 0, half);
      const first = child.fetch(0, port, streamed);
      const second = grandchild.fetch(0, await serve(t, child.store, { useSendfile }), streamed);
      await shown(grandchild.task, half);
      assert.deepEqual(child.task.incoming(0)?.markAfter(0)?.crc32, crc32(content.subarray(0, half)));
      assert.equal(child.task.pieces.count + grandchild.task.pieces.count, 0, 'half a piece is none');
      assert(firstPieceOf(grandchild.task).subarray(0, half).equals(content.subarray(0, half)));
      await bring(writer, half, pieceLengthBytes);
      await writer.commit({ source: 'origin', costMs: 1 });
      await Promise.all([first, second]);
      for (const { task } of [child, grandchild]) {
        assert(task.pieces.has(0));
        assert(firstPieceOf(task).equals(content.subarray(0, pieceLengthBytes)));
      }
    });
  }

  test('is asked for before its first byte has come', async (t) => {
    const { port, writer } = await startIncomplete(t);
    const child = await Child.create(t, content.length);
    const fetched = child.fetch(0, port, streamed);
    await bring(writer, 0, pieceLengthBytes);
    await writer.commit({ source: 'origin', costMs: 1 });
    await fetched;
    assert(child.task.pieces.has(0));
  });

  test('that is given up is no piece; the connection serves the next request', async (t) => {
    const { port, task, writer } = await startIncomplete(t);
    const child = await Child.create(t, content.length);
    await bring(writer, 0, half);
    const fetched = child.fetch(0, port, streamed);
    await shown(child.task, half);
    await Promise.all([writer.abort(), assert.rejects(fetched, hasCode('RESOURCE_EXHAUSTED'))]);
    assert.equal(child.task.pieces.count, 0);
    const again = task.writePiece(0);
    await bring(again, 0, pieceLengthBytes);
    await again.commit({ source: 'origin', costMs: 1 });
    await child.fetch(0, port, streamed);
    assert(firstPieceOf(child.task).equals(content.subarray(0, pieceLengthBytes)));
    assert.equal(child.client.connectionCount, 1);
  });

  test('that stands still is given up', async (t) => {
    const { port, writer } = await startIncomplete(t, { limits: { pieceWaitMs: 50 } });
    const child = await Child.create(t, content.length);
    await bring(writer, 0, half);
    await assert.rejects(child.fetch(0, port, streamed), hasCode('RESOURCE_EXHAUSTED'));
    await writer.abort();
  });

  test('is sent in one to a child that has not said that it can take it so', async (t) => {
    const { port, writer } = await startIncomplete(t);
    const child = await Child.create(t, content.length);
    const fetched = child.fetch(0, port);
    await bring(writer, 0, pieceLengthBytes);
    await writer.commit({ source: 'origin', costMs: 1 });
    assert.equal((await fetched).originalSource, 'origin');
  });
});

describe('a parent that passes on', { timeout: 120_000 }, () => {
  const head = { number: 0, offset: 0, length: pieceLengthBytes, digest: '', parentId: '', costMs: 0, createdMs: 0 };
  const begun = (): Buffer => encodePieceHead(tags.streamedContent, head);

  test('wrong bytes: none of the wrong chunk is shown, and there is no piece', async (t) => {
    const child = await Child.create(t, content.length);
    let lie = (): void => undefined;
    const { port } = await startScript(t, (socket) =>
      onRequests(socket, () => {
        const good = encodeChunkHeader({ bytes: half, crc32: crc32(content.subarray(0, half)) });
        socket.write(Buffer.concat([begun(), good, content.subarray(0, half)]));
        lie = () => {
          const rest = Buffer.from(content.subarray(half, half + 1000));
          const sum = encodeChunkHeader({ bytes: 1000, crc32: crc32(content.subarray(0, half + 1000)) });
          rest.writeUInt8(rest.readUInt8(500) ^ 1, 500);
          socket.write(Buffer.concat([sum, rest]));
        };
      }),
    );
    const fetched = child.fetch(0, port, streamed);
    await shown(child.task, half);
    const incoming = child.task.incoming(0);
    assert(incoming);
    lie();
    await assert.rejects(fetched, hasCode('DIGEST_MISMATCH'));
    assert.equal(incoming.markAfter(half), undefined);
    assert.equal(incoming.state, 'aborted');
    assert.equal(child.task.pieces.count, 0);
  });

  test('a wrong last chunk: there is no piece', async (t) => {
    const child = await Child.create(t, content.length);
    const { port } = await startScript(t, (socket) =>
      onRequests(socket, () => {
        const sum = encodeChunkHeader({ bytes: pieceLengthBytes, crc32: 1 });
        socket.write(Buffer.concat([begun(), sum, content.subarray(0, pieceLengthBytes)]));
      }),
    );
    await assert.rejects(child.fetch(0, port, streamed), hasCode('DIGEST_MISMATCH'));
    assert.equal(child.task.pieces.count, 0);
  });

  test('a chunk longer than the piece breaks the protocol', async (t) => {
    const child = await Child.create(t, content.length);
    const { port } = await startScript(t, (socket) =>
      onRequests(socket, () => {
        socket.write(Buffer.concat([begun(), encodeChunkHeader({ bytes: pieceLengthBytes + 1, crc32: 1 })]));
      }),
    );
    await assert.rejects(child.fetch(0, port, streamed), hasCode('PROTOCOL'));
  });

  test('single bytes, and a head, a chunk and a sum in pieces, is understood', async (t) => {
    const child = await Child.create(t, content.length);
    const { port } = await startScript(t, (socket) =>
      onRequests(socket, (number) => {
        const bytes = content.subarray(pieceLengthBytes);
        const rest = { ...head, number, offset: pieceLengthBytes, length: bytes.length };
        const chunks = [...bytes.keys()].map((at) =>
          Buffer.concat([
            encodeChunkHeader({ bytes: 1, crc32: crc32(bytes.subarray(0, at + 1)) }),
            bytes.subarray(at, at + 1),
          ]),
        );
        const frame = Buffer.concat([encodePieceHead(tags.streamedContent, rest), ...chunks]);
        const next = (at: number): void => {
          if (at < frame.length) socket.write(frame.subarray(at, at + 7), () => setImmediate(next, at + 7));
        };
        next(0);
      }),
    );
    await child.fetch(1, port, streamed);
    assert.equal(child.task.piece(1)?.crc32, crc32(content.subarray(pieceLengthBytes)));
  });

  test('what it has in full sends the sum in front', async (t) => {
    const child = await Child.create(t, content.length);
    const { port } = await startScript(t, (socket) =>
      onRequests(socket, (number) => socket.write(answerFrame(content, number, {}, tags.streamedContent))),
    );
    await child.fetch(0, port, streamed);
    assert(child.task.pieces.has(0));
  });
});
