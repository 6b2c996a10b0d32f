import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multipartFrame, rangeDemand, resolveSeveral } from './range-answer.ts';

test('a header that is to be ignored by rule asks for the whole', () => {
  for (const header of [
    undefined,
    '',
    'items=0-1',
    'bytes=',
    'bytes=5-3',
    'bytes=a-b',
    `bytes=${'0-1,'.repeat(100)}0-1`,
  ]) {
    assert.deepEqual(rangeDemand(header), { kind: 'whole' }, header);
  }
  assert.deepEqual(rangeDemand('bytes=-5'), { kind: 'one', spec: { suffix: 5 } });
  assert.equal(rangeDemand('bytes=0-1, 5-6').kind, 'several');
});

test('several ranges: unsatisfiable ones fall out, costly ones become the whole', () => {
  const specs = (text: string) => {
    const demand = rangeDemand(text);
    return demand.kind === 'several' ? demand.specs : [];
  };
  assert.deepEqual(resolveSeveral(specs('bytes=0-1,500-,-2'), 100), [
    { start: 0, length: 2 },
    { start: 98, length: 2 },
  ]);
  assert.equal(resolveSeveral(specs('bytes=0-,0-'), 100), 'whole');
  assert.equal(resolveSeveral(specs('bytes=0-9,0-9,0-9,0-9'), 100), 'whole');
  assert.deepEqual(resolveSeveral(specs('bytes=100-,200-'), 100), []);
});

test('the announced length of a multipart body is what is sent', () => {
  const ranges = [
    { start: 0, length: 2 },
    { start: 98, length: 2 },
  ];
  const frame = multipartFrame(ranges, { lengthBytes: 100, type: 'text/plain' }, 'boundary');
  const sent = [...frame.heads.map((head) => head.length + 2), frame.tail.length].reduce((a, b) => a + b, 0);
  assert.equal(frame.contentLengthBytes, sent);
  assert.match(
    frame.heads[1]?.toString() ?? '',
    /^\r\n--boundary\r\nContent-Type: text\/plain\r\nContent-Range: bytes 98-99\/100\r\n\r\n$/,
  );
});
