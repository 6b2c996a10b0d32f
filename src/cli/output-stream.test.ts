import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseDigest } from '../core/digest.ts';
import { StreamSink } from './output-stream.ts';

function collector(): Writable & { readonly parts: Buffer[] } {
  const parts: Buffer[] = [];
  const stream = new Writable({
    write(bytes: Buffer, _encoding, done) {
      parts.push(Buffer.from(bytes));
      done();
    },
  });
  return Object.assign(stream, { parts });
}

describe('StreamSink', () => {
  it('puts pieces that come in any order into order, with and without a digest', async () => {
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.infiniteStream(fc.nat()), fc.boolean(), async (contents, order, verified) => {
        const whole = Buffer.concat(contents);
        let position = 0;
        const placed = contents.map((bytes) => ({ bytes, position: (position += bytes.length) - bytes.length }));
        const shuffled = placed.map((piece) => ({ piece, key: order.next().value })).sort((a, b) => a.key - b.key);
        const out = collector();
        const digest = parseDigest(`sha256:${createHash('sha256').update(whole).digest('hex')}`);
        await using sink = new StreamSink(out, verified ? digest : undefined, () => undefined);
        for (const { piece } of shuffled) await sink.write(piece.position, Buffer.from(piece.bytes));
        await sink.finish(whole.length);
        assert.ok(Buffer.concat(out.parts).equals(whole));
      }),
      { numRuns: 50 },
    );
  });

  it('says when bytes are missing', async () => {
    await using sink = new StreamSink(collector(), undefined, () => undefined);
    await sink.write(2, Buffer.from('late'));
    await assert.rejects(sink.finish(6), { code: 'PROTOCOL' });
  });
});
