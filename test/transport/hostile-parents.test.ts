import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { maxHeadBytes } from '../../src/dfdaemon/transport/limits.ts';
import { encodeError, errorNumbers, headerBytes, tags, type PieceHead } from '../../src/dfdaemon/transport/vortex.ts';
import { hasCode } from '../storage/fixtures.ts';
import { answerFrame, Child, onRequests, pieceLengthBytes, startScript, transportContent } from './fixtures.ts';

const content = transportContent(2 * pieceLengthBytes + 321);

describe('a parent that lies', () => {
  const lies: Record<string, Partial<PieceHead>> = {
    'another number': { number: 1 },
    'another offset': { offset: 1 },
    'a shorter length': { length: pieceLengthBytes - 1 },
    'a longer length': { length: pieceLengthBytes + 1 },
    'a length of 4 GiB': { length: 2 ** 32 },
    'a digest of another kind': { digest: 'sha256:0000' },
    'no digest': { digest: '' },
    'a digest that is no number': { digest: 'crc32:abc' },
    'a very long parent id': { parentId: 'x'.repeat(maxHeadBytes) },
  };
  for (const [what, lie] of Object.entries(lies)) {
    test(`about the piece: ${what}`, async (t) => {
      const child = await Child.create(t, content.length);
      const { port } = await startScript(t, (socket) =>
        onRequests(socket, (number) => socket.write(answerFrame(content, number, lie))),
      );
      await assert.rejects(child.fetch(0, port), hasCode('PROTOCOL'));
      assert.equal(child.task.pieces.count, 0);
      assert.equal(child.client.bufferedBytes, 0);
    });
  }

  test('D-3 about the length of its head: nothing is allocated for it', async (t) => {
    const child = await Child.create(t, content.length);
    const { port } = await startScript(t, (socket) =>
      onRequests(socket, () => {
        const frame = Buffer.alloc(headerBytes);
        frame.writeUInt8(tags.pipelinedContent, 1);
        frame.writeUInt32BE(0xffff_ffff, 2);
        socket.write(frame);
      }),
    );
    await assert.rejects(child.fetch(0, port), hasCode('PROTOCOL'));
  });

  test('about the content: the piece stays absent and comes from elsewhere', async (t) => {
    const child = await Child.create(t, content.length);
    const liar = await startScript(t, (socket) =>
      onRequests(socket, (number) => {
        const frame = answerFrame(content, number);
        const last = frame.length - 1;
        frame.writeUInt8(frame.readUInt8(last) ^ 1, last);
        socket.write(frame);
      }),
    );
    const honest = await startScript(t, (socket) =>
      onRequests(socket, (number) => socket.write(answerFrame(content, number))),
    );
    await assert.rejects(child.fetch(2, liar.port), hasCode('DIGEST_MISMATCH'));
    assert.equal(child.task.pieces.count, 0);
    for (const number of [0, 1, 2]) await child.fetch(number, honest.port);
    child.task.finish();
    assert(readFileSync(child.task.content.path).equals(content));
  });

  test('with another tag, or an empty error', async (t) => {
    const child = await Child.create(t, content.length);
    const frames = [answerFrame(content, 0, {}, tags.downloadPiece), Buffer.from([0, tags.error, 0, 0, 0, 0])];
    for (const frame of frames) {
      const { port } = await startScript(t, (socket) => onRequests(socket, () => socket.write(frame)));
      await assert.rejects(child.fetch(0, port), hasCode('PROTOCOL'));
    }
  });
});

describe('a parent that fails', () => {
  test('with an error keeps the connection for the next request', async (t) => {
    const child = await Child.create(t, content.length);
    const codes = {
      [errorNumbers.notFound]: 'PIECE_UNAVAILABLE',
      [errorNumbers.invalidArgument]: 'PROTOCOL',
      [errorNumbers.internal]: 'UNAVAILABLE',
    } as const;
    for (const [number, code] of Object.entries(codes)) {
      const parent = await startScript(t, (socket) => {
        let requests = 0;
        onRequests(socket, (piece) => {
          requests += 1;
          socket.write(requests === 1 ? encodeError(Number(number), 'no luck') : answerFrame(content, piece));
        });
      });
      await assert.rejects(child.fetch(2, parent.port), hasCode(code));
      await child.fetch(2, parent.port);
      assert.equal(parent.connections(), 1);
      child.task.restart();
      child.task.setLayout({ contentLengthBytes: content.length, pieceLengthBytes });
    }
  });

  test('in the middle of a body', async (t) => {
    const child = await Child.create(t, content.length);
    for (const persistent of [true, false]) {
      const { port } = await startScript(t, (socket) =>
        onRequests(socket, (number) => {
          const frame = answerFrame(content, number, {}, persistent ? tags.pipelinedContent : tags.pieceContent);
          socket.end(frame.subarray(0, frame.length / 2));
        }),
      );
      await assert.rejects(child.fetch(0, port, { persistent }), hasCode('UNAVAILABLE'));
      assert.equal(child.task.pieces.count, 0);
      assert.equal(child.task.inUse, false);
    }
  });

  test('by closing between two answers: the second request moves to a new connection', async (t) => {
    const child = await Child.create(t, content.length);
    const parent = await startScript(t, (socket) =>
      onRequests(socket, (number) => socket.end(answerFrame(content, number))),
    );
    await child.fetch(0, parent.port);
    await child.fetch(1, parent.port);
    assert.equal(parent.connections(), 2);
  });

  test('by saying nothing: the request ends at its deadline, or when the parent has stalled', async (t) => {
    const child = await Child.create(t, content.length, { limits: { stallMs: 150 } });
    const silent = await startScript(t, (socket) => socket.resume());
    await assert.rejects(
      child.fetch(0, silent.port, { signal: AbortSignal.timeout(50) }),
      hasCode('DEADLINE_EXCEEDED'),
    );
    await assert.rejects(child.fetch(0, silent.port, { timeoutMs: 50 }), hasCode('DEADLINE_EXCEEDED'));
    await assert.rejects(child.fetch(0, silent.port), hasCode('DEADLINE_EXCEEDED'));
    const stuck = await startScript(t, (socket) =>
      onRequests(socket, (number) => socket.write(answerFrame(content, number).subarray(0, 2 ** 20))),
    );
    await assert.rejects(child.fetch(0, stuck.port), hasCode('DEADLINE_EXCEEDED'));
    assert.equal(child.client.bufferedBytes, 0);
    assert.equal(child.task.inUse, false);
  });

  test('by not being there', async (t) => {
    const child = await Child.create(t, content.length);
    const gone = await startScript(t, (socket) => socket.destroy());
    await assert.rejects(child.fetch(0, gone.port), hasCode('UNAVAILABLE'));
    await assert.rejects(child.fetch(0, 1), hasCode('UNAVAILABLE'));
  });

  test('by sending what nobody asked for', async (t) => {
    const child = await Child.create(t, content.length);
    const parent = await startScript(t, (socket) =>
      onRequests(socket, (number) =>
        socket.write(Buffer.concat([answerFrame(content, number), Buffer.alloc(5000, 7)])),
      ),
    );
    await child.fetch(2, parent.port);
    await child
      .fetch(1, parent.port)
      .catch((error: unknown) => assert(hasCode('PROTOCOL')(error) || hasCode('UNAVAILABLE')(error)));
    assert.equal(child.client.bufferedBytes, 0);
  });

  test('by dripping: a head that comes byte by byte is read all the same', async (t) => {
    const child = await Child.create(t, content.length);
    const { port } = await startScript(t, (socket) =>
      onRequests(socket, (number) => {
        const frame = answerFrame(content, number);
        let at = 0;
        const drip = (): void => {
          const size = at < 100 ? 1 : 400;
          socket.write(frame.subarray(at, at + size), () => {
            at += size;
            if (at < frame.length) setImmediate(drip);
          });
        };
        drip();
      }),
    );
    await child.fetch(2, port);
    assert.equal(child.task.piece(2)?.length, 321);
  });
});

describe('giving up', () => {
  test('on one of several requests on a connection leaves the others to another connection', async (t) => {
    const child = await Child.create(t, content.length);
    const controller = new AbortController();
    const parent = await startScript(t, (socket, connection) =>
      onRequests(socket, (number) => {
        if (number === 0 && connection < 2) controller.abort();
        else socket.write(answerFrame(content, number));
      }),
    );
    const results = await Promise.allSettled([
      child.fetch(0, parent.port, { signal: controller.signal }),
      child.fetch(1, parent.port),
      child.fetch(2, parent.port),
    ]);
    assert.deepEqual(
      results.map((result) => result.status),
      ['rejected', 'fulfilled', 'fulfilled'],
    );
    assert.deepEqual([...child.task.pieces], [1, 2]);
    await child.fetch(
      0,
      (await startScript(t, (socket) => onRequests(socket, (number) => socket.write(answerFrame(content, number)))))
        .port,
    );
  });

  test('before it has begun', async (t) => {
    const child = await Child.create(t, content.length);
    await assert.rejects(child.fetch(0, 1, { signal: AbortSignal.abort() }), hasCode('CANCELLED'));
  });
});

describe('the piece protocol of the original', () => {
  test('a piece without a digest is taken as it is', async (t) => {
    const child = await Child.create(t, content.length);
    const { port } = await startScript(t, (socket) =>
      onRequests(socket, (number) => socket.end(answerFrame(content, number, { digest: '' }, tags.pieceContent))),
    );
    await child.fetch(1, port, { persistent: false });
    assert.deepEqual([...child.task.pieces], [1]);
  });
});
