/**
 * Mutated conversations against a live server and a live client. A few seconds in the suite; `DRAGONFLY_FUZZ_SECONDS`
 * makes it longer. A failure prints the seed; `DRAGONFLY_FUZZ_SEED` repeats it. The corpus is every kind of frame.
 */
import assert from 'node:assert/strict';
import { readSync } from 'node:fs';
import { describe, test } from 'node:test';
import { toDragonflyError } from '../../src/core/errors.ts';
import { encodeError, encodeRequest, tags } from '../../src/dfdaemon/transport/vortex.ts';
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

const seconds = Number(process.env['DRAGONFLY_FUZZ_SECONDS'] ?? 3);
const firstSeed = Number(process.env['DRAGONFLY_FUZZ_SEED'] ?? Math.floor(Math.random() * 1e9));
const content = transportContent(pieceLengthBytes + 5000);

/** Errors a broken conversation may end in; anything else is a bug. */
const allowed = new Set(['PROTOCOL', 'DIGEST_MISMATCH', 'UNAVAILABLE', 'PIECE_UNAVAILABLE', 'DEADLINE_EXCEEDED']);

class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }
}

/** Flips bits, cuts, repeats, inserts and overwrites numbers with extreme ones. */
function mutate(random: Random, input: Buffer): Buffer {
  let bytes = Buffer.from(input);
  for (let count = random.below(4); count > 0 && bytes.length > 0; count -= 1) {
    const at = random.below(Math.min(bytes.length, 200)); // heads are short: that is where the meaning is
    switch (random.below(6)) {
      case 0:
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at);
        break;
      case 1:
        bytes = bytes.subarray(0, at);
        break;
      case 2:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.alloc(random.below(50), random.below(256)),
          bytes.subarray(at),
        ]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(20))]);
        break;
      case 4:
        if (at + 4 <= bytes.length) bytes.writeUInt32BE(random.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]), at);
        break;
      default:
        bytes = Buffer.concat([bytes, bytes.subarray(0, at)]);
    }
  }
  return bytes;
}

describe(`fuzzing the piece protocol from seed ${firstSeed}`, () => {
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
      const random = new Random(seed);
      const child = await RawClient.connect(t, server.port);
      for (let frames = 1 + random.below(5); frames > 0; frames -= 1)
        child.socket.write(mutate(random, random.pick(corpus)));
      const ending = random.below(3);
      if (ending === 0) child.socket.end();
      else if (ending === 1) await child.bytes(10);
      child.socket.destroy();
      if (seed % 50 !== 0) continue;
      const honest = await RawClient.connect(t, server.port);
      honest.socket.write(encodeRequest(tags.downloadPiece, taskId, 1));
      await honest.closed;
      assert(honest.received.subarray(-5000).equals(content.subarray(-5000)), `seed ${seed}`);
    }
    await waitFor('all connections to be gone', () => server.connectionCount === 0 && server.activeBodies === 0);
    assert.equal(task.inUse, false);
  });

  test('a client takes right pieces or errors from whatever parents answer', async (t) => {
    const child = await Child.create(t, content.length, { limits: { stallMs: 300 } });
    let random = new Random(firstSeed);
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
    for (let seed = firstSeed; performance.now() < endMs; seed += 1) {
      random = new Random(seed);
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
    assert(right > 0, 'no conversation went well: the fuzzer is too rough');
    await waitFor('all buffers to be given back', () => child.client.bufferedBytes === 0);
  });
});
