/** DF2-6/9: mutated conversations against a live server and a live client. The corpus is every kind of frame. */
import assert from 'node:assert/strict';
import { readSync } from 'node:fs';
import { describe, test } from 'node:test';
import { toDragonflyError } from '../../src/core/errors.ts';
import { encodeError, encodeRequest, tags } from '../../src/dfdaemon/transport/vortex.ts';
import {
  firstFuzzSeed as firstSeed,
  FuzzRandom,
  fuzzSeconds as seconds,
  mutateBytes as mutate,
} from '../support/fuzz.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  answerFrame,
  Child,
  onRequests,
  pieceLengthBytes,
  RawClient,
  startParent,
  startScript,
  taskId,
  transportContent,
} from './fixtures.ts';

const content = transportContent(pieceLengthBytes + 5000);

/** Errors a broken conversation may end in; anything else is a bug. A mutated error frame may well say "busy". */
const allowed = new Set([
  'PROTOCOL',
  'DIGEST_MISMATCH',
  'UNAVAILABLE',
  'PIECE_UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
]);

describe(`DF2-6/9 fuzzing the piece protocol from seed ${firstSeed}`, () => {
  test('a server answers honest children whatever hostile ones send', async (t) => {
    const { server, task } = await startParent(t, content, {
      limits: { requestDeadlineMs: 500, idleMs: 500, sendStallMs: 2000 },
    });
    const corpus: [Buffer, ...Buffer[]] = [
      encodeRequest(tags.downloadPiece, taskId, 1),
      encodeRequest(tags.downloadPersistentPiece, taskId, 1),
      encodeRequest(tags.downloadPersistentCachePiece, taskId, 0),
      encodeRequest(tags.pipelinedPiece, taskId, 1),
      encodeRequest(tags.pipelinedPiece, 'z'.repeat(64), 1),
      encodeError(1, 'why not'),
      answerFrame(content, 1),
      Buffer.from([0, tags.close, 0, 0, 0, 0]),
    ];
    const endMs = performance.now() + seconds * 1000;
    for (let seed = firstSeed; performance.now() < endMs; seed += 1) {
      const random = new FuzzRandom(seed);
      const child = await RawClient.connect(t, server.port);
      for (let frames = 1 + random.below(5); frames > 0; frames -= 1)
        child.socket.write(mutate(random, random.pick(corpus)));
      const ending = random.below(3);
      if (ending === 0) child.socket.end();
      else if (ending === 1) await child.bytes(10);
      child.socket.destroy();
      if (seed % 50 !== 0) continue;
      // With deadlines this short a pause of the machine costs an honest child its connection: it tries again, as all do.
      await waitFor(`an honest child to be served after seed ${seed}`, async () => {
        const honest = await RawClient.connect(t, server.port);
        honest.socket.write(encodeRequest(tags.downloadPiece, taskId, 1));
        await honest.closed;
        return honest.received.subarray(-5000).equals(content.subarray(-5000));
      });
    }
    await waitFor('all connections to be gone', () => server.connectionCount === 0 && server.activeBodies === 0);
    assert.equal(task.inUse, false);
  });

  test('a client takes right pieces or errors from whatever parents answer', async (t) => {
    const child = await Child.create(t, content.length, { limits: { stallMs: 300 } });
    let random = new FuzzRandom(firstSeed);
    const { port } = await startScript(t, (socket) =>
      onRequests(socket, (number) => {
        const honest = answerFrame(content, number);
        const frame = random.pick([honest, answerFrame(content, 1 - number), encodeError(random.below(5), 'broken')]);
        socket.write(mutate(random, frame));
        if (random.below(4) === 0) socket.end();
      }),
    );
    let right = 0;
    const endMs = performance.now() + seconds * 1000;
    // Until one went well, however slow the machine is; a fuzzer too rough for any ends at the deadline of the file.
    for (let seed = firstSeed; performance.now() < endMs || right === 0; seed += 1) {
      random = new FuzzRandom(seed);
      const wanted = random.below(8) === 0 ? 0 : 1;
      try {
        await child.fetch(wanted, port, { signal: AbortSignal.timeout(1000) });
        using piece = child.task.openPiece(wanted);
        const found = Buffer.alloc(piece.length);
        readSync(piece.fd, found, 0, found.length, piece.offset);
        assert(
          found.equals(content.subarray(piece.offset, piece.offset + piece.length)),
          `wrong bytes with seed ${seed}`,
        );
        right += 1;
      } catch (error) {
        const { code } = toDragonflyError(error);
        assert(allowed.has(code), `seed ${seed}: ${String(error)}`);
      }
      assert.equal(child.task.inUse, false, `seed ${seed}`);
      child.task.restart();
      child.task.setLayout({ contentLengthBytes: content.length, pieceLengthBytes });
    }
    await waitFor('all buffers to be given back', () => child.client.bufferedBytes === 0);
  });
});
