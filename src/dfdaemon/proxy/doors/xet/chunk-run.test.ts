/** Tests against hashes from the protocol's reference implementation, and a frame and a hash made by published programs (lz4 4.4, hf_xet 1.8). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ChunkReader, chunkHeaderBytes, type ChunkRun } from './chunk-run.ts';
import { FileProof } from './file-proof.ts';
import { decodeLz4Frame } from './lz4-frame.ts';
import { partOf, type Reconstruction } from './reconstruction.ts';
import { fileHash, hashBytes, hexOf, xorbHash } from './xet-hash.ts';
import { isWholeXorb, runInside, XorbIndex } from './xorb-index.ts';

interface Vectors {
  readonly hashes: readonly string[];
  /** Chunks are given by the number of their hash; chunk n has n × 100 bytes. */
  readonly cases: readonly { readonly chunks: readonly number[]; readonly xorb: string; readonly file: string }[];
  readonly frames: readonly string[];
  /** Seven bytes, grouped and compressed. */
  readonly grouped: string;
  /** The hash that hf_xet computes for a file with the frames' content. */
  readonly file: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('../../../../../test/vectors/xet-hashes.json', import.meta.url), 'utf8'),
) as Vectors;
const content = Buffer.concat([
  Buffer.from('weights of a layer '.repeat(40)),
  Buffer.from(Array.from({ length: 256 }, (_, index) => index)),
  Buffer.alloc(300),
]);

function chunk(scheme: number, stored: Buffer, lengthBytes: number): Buffer {
  const header = Buffer.alloc(chunkHeaderBytes);
  header.writeUIntLE(stored.length, 1, 3);
  header.writeUInt8(scheme, 4);
  header.writeUIntLE(lengthBytes, 5, 3);
  return Buffer.concat([header, stored]);
}

/** Reads the run in blocks that end at arbitrary positions. */
function read(run: Buffer): ChunkRun {
  const reader = new ChunkReader();
  for (let at = 0; at < run.length; at += 7) reader.push(run.subarray(at, at + 7));
  return reader.end();
}

const stored = (text: string): Buffer => chunk(0, Buffer.from(text), text.length);

void describe('chunks of xorbs', () => {
  void it('a tree of chunks has the name the reference gives it', () => {
    for (const { chunks, xorb, file } of vectors.cases) {
      const hashes = Buffer.concat(chunks.map((each) => Buffer.from(vectors.hashes[each] ?? '', 'hex').swap64()));
      const run = { hashes, lengths: Uint32Array.from(chunks, (each) => each * 100) };
      assert.equal(hexOf(xorbHash(run)), xorb);
      assert.equal(hexOf(fileHash(run)), file);
    }
  });

  void it('reads what is stored, compressed and grouped by bytes; the file of it has the name its client gives it', () => {
    for (const frame of vectors.frames.map((text) => Buffer.from(text, 'base64'))) {
      assert.ok(decodeLz4Frame(frame, content.length).equals(content));
      assert.equal(hexOf(fileHash(read(chunk(1, frame, content.length)))), vectors.file);
    }
    assert.equal(hexOf(fileHash(read(chunk(0, content, content.length)))), vectors.file);
    const ungrouped = Buffer.from(Array.from({ length: 7 }, (_, index) => index));
    const frame = Buffer.from(vectors.grouped, 'base64');
    assert.equal(
      hexOf(fileHash(read(chunk(2, frame, 7)))),
      hexOf(fileHash(read(chunk(0, ungrouped, ungrouped.length)))),
    );
  });

  void it('refuses what is no run of chunks', () => {
    const good = stored('abc');
    const bad = [
      good.subarray(0, 5),
      good.subarray(0, good.length - 1),
      Buffer.concat([good, Buffer.from([0])]),
      chunk(7, Buffer.from('abc'), 3),
      chunk(0, Buffer.from('abc'), 4),
      chunk(1, Buffer.from('abc'), 3),
      chunk(0, Buffer.alloc(129 * 1024), 129 * 1024),
    ];
    for (const run of bad) assert.throws(() => read(run), RangeError);
    const [frame = Buffer.alloc(0)] = vectors.frames.map((text) => Buffer.from(text, 'base64'));
    for (let end = 0; end < frame.length - 4; end += 1)
      assert.throws(() => decodeLz4Frame(frame.subarray(0, end), content.length), RangeError);
    for (let at = 11; at < 60; at += 1) {
      const broken = Buffer.from(frame);
      broken.writeUInt8(broken.readUInt8(at) ^ 0xff, at);
      try {
        assert.equal(decodeLz4Frame(broken, content.length).length, content.length);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }
  });
});

void describe('ranges of xorbs', () => {
  const texts = ['first', 'second one', 'third', 'and the fourth'];
  const whole = Buffer.concat(texts.map(stored));
  const run = read(whole);
  const xorb = hexOf(xorbHash(run));
  const offsets = [0, 13, 31, 44, whole.length];
  const rangeOf = (start: number, end: number) => ({
    xorb,
    chunks: { start, end },
    bytes: { start: offsets[start] ?? 0, end: (offsets[end] ?? 0) - 1 },
  });

  void it('a run inside of another has its hashes, where its bytes lie where they should', () => {
    const held = rangeOf(0, 4);
    const inside = runInside(held, run, rangeOf(1, 3));
    assert.ok(inside);
    assert.deepEqual([...inside.lengths], [10, 5]);
    assert.deepEqual(Buffer.from(inside.hashes), Buffer.from(run.hashes.subarray(hashBytes, 3 * hashBytes)));
    const { bytes, ...elsewhere } = rangeOf(1, 3);
    assert.equal(runInside(held, run, { ...elsewhere, bytes: { ...bytes, end: bytes.end - 1 } }), undefined);
    assert.ok(isWholeXorb(held, run));
    assert.ok(!isWholeXorb(rangeOf(0, 2), { ...run, lengths: run.lengths.subarray(0, 2) }));
  });

  void it('the index finds the shortest run around one, also by what was stored', () => {
    const index = new XorbIndex([{ 'x-dragonfly-xorb': `${xorb} 0-4 0-${whole.length - 1}` }, {}]);
    index.add(rangeOf(0, 3));
    index.add(rangeOf(0, 3));
    assert.deepEqual(index.around(rangeOf(1, 2)), [rangeOf(0, 3), rangeOf(0, 4)]);
    assert.deepEqual(index.around(rangeOf(2, 4)), [rangeOf(0, 4)]);
    index.remove(rangeOf(0, 4));
    assert.deepEqual(index.around(rangeOf(2, 4)), []);
  });

  const reconstruction: Reconstruction = {
    offset_into_first_range: 0,
    terms: [
      { hash: xorb, unpacked_length: 15, range: { start: 0, end: 2 } },
      { hash: xorb, unpacked_length: 14, range: { start: 3, end: 4 } },
    ],
    fetch_info: {
      [xorb]: [rangeOf(0, 2), rangeOf(3, 4)].map(({ chunks, bytes }) => ({
        range: chunks,
        url: 'http://x/',
        url_range: bytes,
      })),
    },
  };
  const parts = [rangeOf(0, 2), rangeOf(3, 4)].map((range) => ({
    range,
    run: runInside(rangeOf(0, 4), run, range) ?? run,
  }));
  const file = Buffer.concat(texts.filter((_, index) => index !== 2).map(stored));

  void it('a part of a file is its terms, and how far into the first it begins', () => {
    const part = partOf(reconstruction, 20, 21);
    assert.deepEqual(part?.terms, [reconstruction.terms[1]]);
    assert.equal(part.offset_into_first_range, 5);
    assert.deepEqual(part.fetch_info, { [xorb]: [reconstruction.fetch_info[xorb]?.[1]] });
    assert.equal(partOf(reconstruction, 14, 15)?.terms.length, 2);
    assert.equal(partOf(reconstruction, 29, 40), undefined);
  });

  void it('a file is proven by its last chunks, or broken by them', () => {
    const id = hexOf(fileHash(read(file)));
    const proof = new FileProof(id, reconstruction);
    for (const { range, run: of } of parts) proof.add(range, of, false);
    assert.ok(!proof.isBroken);
    assert.deepEqual(proof.unproven, []);
    const other = new FileProof('0'.repeat(64), reconstruction);
    for (const { range, run: of } of parts) other.add(range, of, range.chunks.start === 0);
    assert.ok(other.isBroken);
    assert.deepEqual(other.unproven, [rangeOf(3, 4)]);
    const short = new FileProof(id, reconstruction);
    const [first] = parts;
    assert.ok(first);
    short.add(first.range, { ...first.run, lengths: Uint32Array.from([5, 9]) }, false);
    assert.ok(short.isBroken);
  });
});
