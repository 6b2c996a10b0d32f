import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { hasDigest, signedPayload } from './manifest-digest.ts';

const type = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
const payload = '{\n   "schemaVersion": 1,\n   "name": "old/app"\n}';
const head = payload.slice(0, -2);
const part = (formatLength: unknown, formatTail = '\n}') =>
  Buffer.from(JSON.stringify({ formatLength, formatTail: Buffer.from(formatTail).toString('base64url') })).toString(
    'base64url',
  );
const signed = (protectedPart: string) =>
  Buffer.from(`${head},\n   "signatures": [{"signature": "AAAA", "protected": "${protectedPart}"}]\n}`);
const digest = (algorithm: string, content: string | Buffer) =>
  `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;

test('the digest of a signed manifest of schema 1 covers its payload', () => {
  const body = signed(part(head.length));
  assert.equal(signedPayload(body)?.toString(), payload);
  for (const algorithm of ['sha256', 'sha512']) {
    assert.equal(hasDigest(body, type, digest(algorithm, payload)), true);
    assert.equal(hasDigest(body, type, digest(algorithm, body)), true);
    assert.equal(hasDigest(body, type, digest(algorithm, 'other')), false);
    assert.equal(hasDigest(body, 'application/json', digest(algorithm, payload)), false);
  }
});

test('signatures that cannot be read prove nothing', () => {
  for (const protectedPart of [part(-1), part(1e9), part('9'), part(undefined), '!', ''])
    assert.equal(signedPayload(signed(protectedPart)), undefined, protectedPart);
  assert.equal(signedPayload(Buffer.from('no JSON')), undefined);
  assert.equal(signedPayload(Buffer.from('{}')), undefined);
});
