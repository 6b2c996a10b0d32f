import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { maxPipelinedRequests } from '../../src/dfdaemon/transport/limits.ts';
import { decodeAnswer, encodeRequest, errorNumbers, headerBytes, tags } from '../../src/dfdaemon/transport/vortex.ts';
import { waitFor } from '../support/wait-for.ts';
import { PieceServer } from '../../src/dfdaemon/transport/piece-server.ts';
import { hasCode } from '../storage/fixtures.ts';
import {
  answerFrame,
  Child,
  pieceLengthBytes,
  RawClient,
  startParent,
  taskId,
  transportContent,
  unlimited,
} from './fixtures.ts';

const content = transportContent(2 * pieceLengthBytes + 777);
const small = 2; // number of the short last piece

/** What the server says in front of piece `number`, apart from times. */
function expectPiece(received: Buffer, at: number, number: number, tag: number): number {
  const answer = decodeAnswer(received, at, received.length, tag);
  assert(answer?.kind === 'content', 'expected a piece');
  assert.equal(answer.head.number, number);
  assert.equal(answer.head.parentId, 'origin');
  const start = at + answer.bytes;
  const bytes = content.subarray(answer.head.offset, answer.head.offset + answer.head.length);
  assert(received.subarray(start, start + bytes.length).equals(bytes), `piece ${number} is wrong`);
  return start + bytes.length;
}

function expectError(received: Buffer, at: number, number: number): number {
  assert.equal(received.readUInt8(at + 1), tags.error);
  assert.equal(received.readUInt8(at + headerBytes), number);
  return at + headerBytes + received.readUInt32BE(at + 2);
}

describe('a child of the original', () => {
  for (const tag of [tags.downloadPiece, tags.downloadPersistentPiece, tags.downloadPersistentCachePiece]) {
    test(`asks with tag ${tag}, gets one answer, then the connection ends`, async (t) => {
      const { server } = await startParent(t, content);
      const child = await RawClient.connect(t, server.port);
      child.socket.write(Buffer.concat([encodeRequest(tag, taskId, small), encodeRequest(tag, taskId, small)]));
      await child.closed;
      assert.equal(expectPiece(child.received, 0, small, tag + 1), child.received.length);
    });
  }

  test('asks for a piece that is not here and is told so', async (t) => {
    const { server } = await startParent(t, content);
    for (const [id, number, error] of [
      [taskId, 3, errorNumbers.notFound],
      [taskId, 0xffff_ffff, errorNumbers.notFound],
      ['0'.repeat(64), 0, errorNumbers.notFound],
      ['../'.repeat(21) + 'x', 0, errorNumbers.invalidArgument],
    ] as const) {
      const child = await RawClient.connect(t, server.port);
      child.socket.write(encodeRequest(tags.downloadPiece, id, number));
      await child.closed;
      assert.equal(expectError(child.received, 0, error), child.received.length);
    }
  });

  test('asks for a piece that is just being written and gets it when it is there', async (t) => {
    const { server, store } = await startParent(t, content);
    const task = store.open('f'.repeat(64), { url: 'http://origin/growing' });
    task.setLayout({ contentLengthBytes: 1000, pieceLengthBytes });
    const writer = task.writePiece(0);
    const child = await RawClient.connect(t, server.port);
    child.socket.write(encodeRequest(tags.downloadPiece, task.id, 0));
    await writer.write(content.subarray(0, 1000));
    await writer.commit({ source: 'origin', costMs: 1 });
    await child.closed;
    assert.equal(child.received.subarray(-1000).compare(content.subarray(0, 1000)), 0);
  });
});

describe('a child of ours', () => {
  test('may ask many times without waiting; errors stand in their place', async (t) => {
    const { server } = await startParent(t, content);
    const child = await RawClient.connect(t, server.port);
    const requests = 40 * maxPipelinedRequests;
    const frames = Array.from({ length: requests }, (_, index) =>
      encodeRequest(tags.pipelinedPiece, taskId, index % 2 === 0 ? small : 99),
    );
    child.socket.write(Buffer.concat(frames));
    child.socket.end();
    await child.closed;
    let at = 0;
    for (let index = 0; index < requests; index += 1) {
      at =
        index % 2 === 0
          ? expectPiece(child.received, at, small, tags.pipelinedContent)
          : expectError(child.received, at, errorNumbers.notFound);
    }
    assert.equal(at, child.received.length);
  });

  test('that has shut down its sending side still gets what it asked for', async (t) => {
    const { server } = await startParent(t, content);
    for (const tag of [tags.downloadPiece, tags.pipelinedPiece]) {
      const child = await RawClient.connect(t, server.port);
      child.socket.end(encodeRequest(tag, taskId, 0));
      await child.closed;
      assert.equal(expectPiece(child.received, 0, 0, tag + 1), child.received.length);
    }
  });

  test('may send its request byte by byte', async (t) => {
    const { server } = await startParent(t, content);
    const child = await RawClient.connect(t, server.port);
    for (const byte of encodeRequest(tags.downloadPiece, taskId, small)) {
      child.socket.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    await child.closed;
    expectPiece(child.received, 0, small, tags.pieceContent);
  });

  test('is still answered when the server closes', async (t) => {
    const { server } = await startParent(t, content);
    const child = await RawClient.connect(t, server.port);
    child.socket.write(encodeRequest(tags.pipelinedPiece, taskId, 0));
    await child.bytes(1000);
    await server[Symbol.asyncDispose]();
    await child.closed;
    assert.equal(expectPiece(child.received, 0, 0, tags.pipelinedContent), child.received.length);
    await assert.rejects(RawClient.connect(t, server.port));
  });
});

describe('a hostile child', () => {
  const frames: Record<string, Buffer> = {
    'an unknown tag': Buffer.from([0, 77, 0, 0, 0, 68]),
    'an answer instead of a request': answerFrame(content, small),
    'a frame of 4 GiB': Buffer.from([0, 0, 0xff, 0xff, 0xff, 0xff]),
    'an HTTP request': Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
    'a TLS hello on a plain port': Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]),
  };
  for (const [what, frame] of Object.entries(frames)) {
    test(`sends ${what} and is cut off with an error`, async (t) => {
      const { server } = await startParent(t, content);
      const child = await RawClient.connect(t, server.port);
      child.socket.write(frame);
      await child.closed;
      assert.equal(expectError(child.received, 0, errorNumbers.invalidArgument), child.received.length);
    });
  }

  test('that says nothing, or half of a request, is disconnected', async (t) => {
    const { server } = await startParent(t, content, { limits: { requestDeadlineMs: 100, idleMs: 100 } });
    const silent = await RawClient.connect(t, server.port);
    const half = await RawClient.connect(t, server.port);
    half.socket.write(encodeRequest(tags.pipelinedPiece, taskId, 0).subarray(0, 40));
    const idle = await RawClient.connect(t, server.port);
    idle.socket.write(encodeRequest(tags.pipelinedPiece, taskId, small));
    await Promise.all([silent.closed, half.closed, idle.closed]);
    await waitFor('all connections to be gone', () => server.connectionCount === 0);
  });

  test('that reads nothing is disconnected and holds up nobody', async (t) => {
    const { server, task } = await startParent(t, content, { limits: { sendStallMs: 300 } });
    const greedy = connect({ host: '127.0.0.1', port: server.port });
    await once(greedy, 'connect');
    greedy.on('error', () => undefined).pause();
    for (let index = 0; index < 8; index += 1) greedy.write(encodeRequest(tags.pipelinedPiece, taskId, index % 2));
    const child = await Child.create(t, content.length);
    for (const number of [0, 1, 2]) await child.fetch(number, server.port);
    await waitFor('the greedy child to be gone', () => task.uploadingCount === 0);
    greedy.destroy();
  });

  test('that asks for nothing but errors and reads none is disconnected', async (t) => {
    const { server } = await startParent(t, content, { limits: { sendStallMs: 300 } });
    const flood = connect({ host: '127.0.0.1', port: server.port });
    await once(flood, 'connect');
    flood.on('error', () => undefined).pause();
    const requests = Buffer.concat(
      Array.from({ length: 1000 }, () => encodeRequest(tags.pipelinedPiece, '0'.repeat(64), 1)),
    );
    const closed = waitFor('the flood to be cut off', () => server.connectionCount === 0);
    const more = (): void => void (flood.writable && flood.write(requests, (error) => error ?? more()));
    more();
    await closed;
    flood.destroy();
  });

  test('that goes away in the middle of a body leaves nothing behind', async (t) => {
    const { server, task } = await startParent(t, content);
    for (let index = 0; index < 5; index += 1) {
      const child = await RawClient.connect(t, server.port);
      child.socket.write(encodeRequest(tags.pipelinedPiece, taskId, 0));
      await child.bytes(100_000);
      child.socket.resetAndDestroy();
    }
    await waitFor('all connections to be gone', () => server.connectionCount === 0 && !task.inUse);
    assert.equal(server.activeBodies, 0);
  });

  test('gets only so many connections', async (t) => {
    const { server } = await startParent(t, content, { limits: { maxConnectionsPerAddress: 3 } });
    const children = await Promise.all(Array.from({ length: 3 }, () => RawClient.connect(t, server.port)));
    const fourth = await RawClient.connect(t, server.port);
    await fourth.closed;
    assert.equal(expectError(fourth.received, 0, errorNumbers.internal), fourth.received.length);
    children[0]?.socket.destroy();
    await waitFor('a place to be free', () => server.connectionCount < 3);
    const fifth = await RawClient.connect(t, server.port);
    fifth.socket.write(encodeRequest(tags.downloadPiece, taskId, small));
    await fifth.closed;
    expectPiece(fifth.received, 0, small, tags.pieceContent);
  });
});

test('a port that is taken is a clear error', async (t) => {
  const { server, store } = await startParent(t, content);
  const second = PieceServer.create({ store, limiter: unlimited(), host: '127.0.0.1', port: server.port });
  await assert.rejects(second, hasCode('IN_USE'));
});
