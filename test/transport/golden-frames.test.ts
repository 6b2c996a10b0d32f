/** Frames that a daemon of the original has sent: read, and written again byte for byte. How they were made stands with them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  decodeAnswer,
  decodeRequest,
  encodePieceHead,
  encodeRequest,
  looksLikeRequest,
  tags,
} from '../../src/dfdaemon/transport/vortex.ts';

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
