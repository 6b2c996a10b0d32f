/** Frames that a daemon of the original has sent: read, and written again byte for byte. How they were made stands with them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { PieceServer } from '../../src/dfdaemon/transport/piece-server.ts';
import {
  decodeAnswer,
  decodeRequest,
  encodePieceHead,
  encodeRequest,
  looksLikeRequest,
  tags,
} from '../../src/dfdaemon/transport/vortex.ts';
import { scratchDirectory, storeContent } from '../storage/fixtures.ts';
import { pieceLengthBytes, RawClient, transportContent, unlimited } from './fixtures.ts';

const { taskId, requests, answers } = JSON.parse(
  readFileSync(new URL('../vectors/original-frames.json', import.meta.url), 'utf8'),
) as {
  readonly taskId: string;
  readonly requests: readonly string[];
  readonly answers: readonly { readonly request: string; readonly frame: string }[];
};

test('requests of the original', () => {
  for (const hex of requests) {
    const frame = Buffer.from(hex, 'hex');
    assert.ok(looksLikeRequest(frame));
    const query = decodeRequest(frame);
    assert(query);
    assert.equal(query.taskId, taskId);
    assert.equal(query.persistent, false);
    assert.equal(encodeRequest(tags.downloadPiece, taskId, query.number, frame[0]).toString('hex'), hex);
  }
});

test('answers of the original', () => {
  const kinds = answers.map(({ frame: hex }) => {
    const frame = Buffer.from(hex, 'hex');
    const answer = decodeAnswer(frame, 0, frame.length, tags.pieceContent);
    assert(answer);
    assert.equal(answer.bytes, frame.length);
    if (answer.kind === 'error') return answer.error.code;
    assert.match(answer.head.digest, /^crc32:\d+$/);
    assert.equal(
      encodePieceHead(tags.pieceContent, answer.head, frame[0]).subarray(0, 60).toString('hex'),
      hex.slice(0, 120),
    );
    return answer.head.number;
  });
  assert.deepEqual(kinds.slice(0, 2), [0, 2]);
  assert.ok(
    kinds.slice(2).every((kind) => typeof kind === 'string'),
    kinds.join(),
  );
});

test('our piece port answers the requests of the original as it has answered them', async (t) => {
  const content = transportContent(10 * 2 ** 20 + 1);
  const store = await TaskStore.open({ directory: scratchDirectory(t) });
  t.after(() => store[Symbol.asyncDispose]());
  await storeContent(store.open(taskId, { url: 'http://origin/recorded.bin' }), content, { pieceLengthBytes });
  const server = await PieceServer.create({ store, limiter: unlimited(), host: '127.0.0.1', port: 0 });
  t.after(() => server[Symbol.asyncDispose]());
  for (const { request, frame } of answers) {
    const child = await RawClient.connect(t, server.port);
    child.socket.write(Buffer.from(request, 'hex'));
    await child.closed; // one answer, then the connection ends
    const ours = decodeAnswer(child.received, 0, child.received.length, tags.pieceContent);
    const recorded = Buffer.from(frame, 'hex');
    const theirs = decodeAnswer(recorded, 0, recorded.length, tags.pieceContent);
    assert(ours && theirs);
    if (ours.kind === 'error' || theirs.kind === 'error') {
      assert(ours.kind === 'error' && theirs.kind === 'error', `${ours.kind}, recorded ${theirs.kind}`);
      assert.equal(ours.error.code, theirs.error.code);
      continue;
    }
    const { number, offset, length, digest } = ours.head;
    assert.deepEqual([number, offset, length], [theirs.head.number, theirs.head.offset, theirs.head.length]);
    const bytes = content.subarray(offset, offset + length);
    assert.equal(digest, `crc32:${crc32(bytes)}`);
    assert.ok(child.received.subarray(ours.bytes).equals(bytes), 'the content follows the frame');
  }
});
