import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { SignedChunks } from './s3-signed-chunks.ts';

/** The example of AWS's own documentation: 66,560 letters in chunks of 64 KiB, with every signature. */
const signing = {
  signature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  date: '20130524T000000Z',
  region: 'us-east-1',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const letters = 'a'.repeat(66_560);
const body = Buffer.from(
  [
    `10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n${letters.slice(0, 65_536)}\r\n`,
    `400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n${letters.slice(65_536)}\r\n`,
    '0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n',
  ].join(''),
);

function pass(
  content: Buffer,
  blockBytes: number,
  lengthBytes = letters.length,
): { out: Promise<Buffer>; ended: Promise<void> } {
  const blocks: Buffer[] = [];
  for (let at = 0; at < content.length; at += blockBytes) blocks.push(content.subarray(at, at + blockBytes));
  const chunks = new SignedChunks(signing, { hasTrailer: false, lengthBytes });
  const out = buffer(chunks);
  out.catch(() => undefined); // `ended` says why
  return { out, ended: pipeline(Readable.from(blocks), chunks) };
}

test('the content of signed chunks comes out, however they are cut on the way', async () => {
  for (const blockBytes of [1, 7, 1000, 65_622, body.length]) {
    const { out, ended } = pass(body, blockBytes);
    assert.equal((await out).toString(), letters, `${blockBytes}`);
    await ended;
  }
});

test('a byte that was changed, added or left out is noticed, and the last of its chunk never came out', async () => {
  const changed = Buffer.from(body);
  changed[70_000 - 4000] = 'b'.charCodeAt(0);
  const cases: [Buffer, string][] = [
    [changed, 'SignatureDoesNotMatch'],
    [body.subarray(0, -2), 'InvalidRequest'],
    [body.subarray(0, 65_622), 'InvalidRequest'],
    [Buffer.concat([body, Buffer.from('x')]), 'InvalidRequest'],
    [Buffer.from('5\r\nhello\r\n0\r\n\r\n'), 'InvalidRequest'],
  ];
  for (const [content, code] of cases) await assert.rejects(pass(content, 1000).ended, { code });
});

test('what comes out has the length that was announced', async () => {
  for (const lengthBytes of [0, 65_536, letters.length - 1, letters.length + 1])
    await assert.rejects(pass(body, 1000, lengthBytes).ended, { code: 'InvalidRequest' }, String(lengthBytes));
});
