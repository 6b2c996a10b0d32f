import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutChecksums } from '../../source/checksums.ts';
import { representationOf, strongValidator } from './representation.ts';
import { signedHeaders } from './signed-headers.ts';

const changed = 'Fri, 20 Nov 2026 10:00:00 GMT';

test('only a strong validator names bytes', () => {
  const cases: readonly [Record<string, string>, string | undefined][] = [
    [{ etag: '"v1"' }, '"v1"'],
    [{ etag: 'W/"v1"', 'last-modified': changed, date: 'Sat, 21 Nov 2026 10:00:00 GMT' }, undefined],
    [{ etag: 'v1' }, undefined],
    [{ etag: 'v1', 'last-modified': changed, date: 'Sat, 21 Nov 2026 10:00:00 GMT' }, changed],
    [{}, undefined],
    [{ 'last-modified': changed, date: 'Fri, 20 Nov 2026 10:01:00 GMT' }, changed],
    [{ 'last-modified': changed, date: 'Fri, 20 Nov 2026 10:00:30 GMT' }, undefined],
    [{ 'last-modified': changed }, undefined],
  ];
  for (const [header, expected] of cases) assert.equal(strongValidator(header), expected, JSON.stringify(header));
});

test('an answer names bytes by validator and length of the whole', () => {
  const etag = '"v1"';
  const named = { validator: etag, lengthBytes: 100 };
  assert.deepEqual(representationOf(200, { etag, 'content-length': '100' }), named);
  assert.deepEqual(representationOf(206, { etag, 'content-length': '1', 'content-range': 'bytes 0-0/100' }), named);
  for (const [status, header] of [
    [200, { etag }],
    [200, { etag, 'content-length': '100', 'content-encoding': 'gzip' }],
    [206, { etag, 'content-length': '1', 'content-range': 'bytes 0-0/*' }],
    [206, { etag, 'content-length': '100' }],
    [404, { etag, 'content-length': '100' }],
    [302, { etag, 'content-length': '100' }],
  ] as const)
    assert.equal(representationOf(status, header), undefined, JSON.stringify(header));
});

test('checksums of the whole do not ride on a part', () => {
  const header = {
    'content-type': 'a/b',
    'content-md5': 'x',
    digest: 'x',
    'x-amz-checksum-crc32': 'x',
    'x-goog-hash': 'x',
  };
  assert.deepEqual(withoutChecksums(header), { 'content-type': 'a/b' });
});

test('headers that a signature covers are known by every way of signing', () => {
  const url = new URL('https://bucket.example/key');
  const inHeader =
    'AWS4-HMAC-SHA256 Credential=A/20261129/eu/s3/aws4_request, SignedHeaders=host;range;x-amz-date, Signature=0';
  assert.deepEqual([...signedHeaders({ authorization: inHeader }, url)], ['host', 'range', 'x-amz-date']);
  const inQuery = new URL('https://bucket.example/key?X-Amz-SignedHeaders=host%3Brange&X-Amz-Signature=0');
  assert.deepEqual([...signedHeaders({}, inQuery)], ['host', 'range']);
  assert.equal(signedHeaders({ authorization: 'Bearer x' }, url).size, 0);
});
