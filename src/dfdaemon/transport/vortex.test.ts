import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DragonflyError } from '../../core/errors.ts';
import { maxErrorMessageBytes, maxHeadBytes } from './limits.ts';
import {
  decodeAnswer,
  decodeRequest,
  encodeError,
  encodePieceHead,
  encodeRequest,
  errorNumbers,
  headerBytes,
  requestBytes,
  tags,
} from './vortex.ts';

const taskId = 'ab12'.repeat(16);

describe('frames of the piece protocol', () => {
  test('a request is laid out as the original writes it', () => {
    const frame = encodeRequest(tags.downloadPiece, taskId, 0x0102_0304, 7);
    assert.equal(frame.length, 74);
    assert.equal(frame.toString('hex'), `0700${'00000044'}${Buffer.from(taskId).toString('hex')}01020304`);
    assert.deepEqual(decodeRequest(frame), {
      answerTag: tags.pieceContent,
      persistent: false,
      streamed: false,
      taskId,
      number: 0x0102_0304,
    });
  });

  test('an answer is laid out as the original writes it', () => {
    const head = {
      number: 2,
      offset: 8_388_608,
      length: 4_194_304,
      digest: 'crc32:42',
      parentId: 'peer',
      costMs: 3000,
      createdMs: 1_700_000_000_000,
    };
    const frame = encodePieceHead(tags.pieceContent, head, 9);
    const fields = [
      '09', '01', '0000003d', // id, tag, length of the value
      '00000039', // metadata length: 45 + digest + parent id
      '00000002', '0000000000800000', '0000000000400000', // number, offset, length
      '00000008', Buffer.from('crc32:42').toString('hex'),
      '00000004', Buffer.from('peer').toString('hex'),
      '01', '0000000000000003', '000000006553f100', // traffic type, cost in seconds, created in unix seconds
    ]; // prettier-ignore
    assert.equal(frame.toString('hex'), fields.join(''));
    assert.deepEqual(decodeAnswer(frame, 0, frame.length, tags.pieceContent), {
      kind: 'content',
      head,
      bytes: frame.length,
    });
  });

  test('an error is laid out as the original writes it and never longer than the limit', () => {
    assert.equal(encodeError(errorNumbers.notFound, 'no').toString('hex'), '00ff00000003026e6f');
    assert.equal(encodeError(0, 'x'.repeat(10_000)).length, headerBytes + 1 + maxErrorMessageBytes);
  });

  test('requests survive the way there and back, in any split', () => {
    const tag = fc.constantFrom(
      tags.downloadPiece,
      tags.downloadPersistentPiece,
      tags.downloadPersistentCachePiece,
      tags.pipelinedPiece,
      tags.streamedPiece,
    );
    fc.assert(
      fc.property(tag, fc.nat(0xffff_ffff), fc.nat(requestBytes - 1), (value, number, cut) => {
        const frame = encodeRequest(value, taskId, number);
        assert.equal(decodeRequest(frame.subarray(0, cut)), undefined);
        assert.equal(decodeRequest(frame)?.number, number);
      }),
    );
  });

  test('answers survive the way there and back, in any split', () => {
    const seconds = fc.nat(2 ** 31).map((value) => value * 1000);
    const head = fc.record({
      number: fc.nat(0xffff_ffff),
      offset: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      length: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      digest: fc.string({ maxLength: 40, unit: 'binary' }),
      parentId: fc.string({ maxLength: 200, unit: 'binary' }),
      costMs: seconds,
      createdMs: seconds,
    });
    fc.assert(
      fc.property(head, fc.nat(1000), (value, cut) => {
        const frame = encodePieceHead(tags.pipelinedContent, value);
        const answer = decodeAnswer(frame, 0, frame.length, tags.pipelinedContent);
        assert.deepEqual(answer, { kind: 'content', head: { ...value }, bytes: frame.length });
        if (cut < frame.length) assert.equal(decodeAnswer(frame, 0, cut, tags.pipelinedContent), undefined);
      }),
    );
  });

  test('any bytes are a frame, the start of one, or a PROTOCOL error', () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
    // Half of the inputs have a valid header, so that the parsing of later fields is tested as well.
    const framed = fc
      .tuple(bytes, fc.constantFrom(tags.pieceContent, tags.error, tags.downloadPiece))
      .map(([value, tag]) => {
        const header = Buffer.alloc(headerBytes);
        header.writeUInt8(tag, 1);
        header.writeUInt32BE(value.length, 2);
        return Buffer.concat([header, value]);
      });
    const protocolOnly = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        assert(error instanceof DragonflyError && error.code === 'PROTOCOL', String(error));
      }
    };
    fc.assert(
      fc.property(fc.oneof(bytes, framed), (input) => {
        protocolOnly(() => decodeRequest(input));
        protocolOnly(() => {
          const answer = decodeAnswer(input, 0, input.length, tags.pieceContent);
          assert(answer === undefined || answer.bytes <= Math.min(input.length, headerBytes + maxHeadBytes));
        });
      }),
      { numRuns: 3000 },
    );
  });
});
