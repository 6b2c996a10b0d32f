import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ChunkedFraming } from './http-framing.ts';

function decode(pieces: readonly Uint8Array[]): { content: Buffer; rest: number; done: boolean } {
  const framing = new ChunkedFraming();
  const content: Uint8Array[] = [];
  let rest = 0;
  for (const piece of pieces) {
    let at = 0;
    while (at < piece.length && !framing.done) {
      const payload = Math.min(framing.payloadBytes, piece.length - at);
      if (payload > 0) {
        content.push(piece.subarray(at, at + payload));
        framing.advance(payload);
        at += payload;
      } else {
        at += framing.parse(piece.subarray(at));
      }
    }
    rest += piece.length - at;
  }
  return { content: Buffer.concat(content), rest, done: framing.done };
}

describe('ChunkedFraming', () => {
  it('gives back what was chunked, however it arrives', () => {
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), fc.array(fc.nat(500), { maxLength: 20 }), (chunks, cuts) => {
        const framed = chunks.map((bytes) =>
          Buffer.concat([Buffer.from(`${bytes.length.toString(16)};x=y\r\n`), bytes, Buffer.from('\r\n')]),
        );
        const stream = Buffer.concat([...framed, Buffer.from('0\r\nT: 1\r\n\r\n'), Buffer.from('next answer')]);
        const ends = [...cuts.map((cut) => cut % stream.length), stream.length].sort((a, b) => a - b);
        const pieces = ends.map((end, index) => stream.subarray(ends[index - 1] ?? 0, end));
        const result = decode(pieces);
        assert.ok(result.done);
        assert.ok(result.content.equals(Buffer.concat(chunks)));
        assert.equal(result.rest, 'next answer'.length);
      }),
    );
  });

  it('never accepts a prefix as complete', () => {
    const stream = Buffer.from('3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n');
    for (let end = 0; end < stream.length; end += 1) assert.equal(decode([stream.subarray(0, end)]).done, false);
    assert.equal(decode([stream]).done, true);
  });

  it('ends or refuses any input without consuming more than it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 10 }), (pieces) => {
        try {
          decode(pieces);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'PROTOCOL');
        }
      }),
    );
  });
});
