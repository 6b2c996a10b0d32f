import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageLengths } from './unfinished-messages.ts';

test('bytes of a message count until it has ended, however it is cut', () => {
  const message = (length: number): Buffer => {
    const bytes = Buffer.alloc(5 + length);
    bytes.writeUInt32BE(length, 1);
    return bytes;
  };
  const stream = Buffer.concat([message(0), message(7), message(300), message(1)]);
  for (const step of [1, 2, 3, 5, 7, 64, 1000]) {
    const lengths = new MessageLengths();
    let most = 0;
    let last = -1;
    for (let at = 0; at < stream.length; at += step) {
      last = lengths.take(stream.subarray(at, at + step));
      most = Math.max(most, last);
      assert.ok(last < 305);
    }
    assert.equal(last, 0);
    assert.ok(most >= (step === 1000 ? 0 : 300 - step), `steps of ${step}: ${most}`);
  }
});
