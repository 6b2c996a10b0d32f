import assert from 'node:assert/strict';
import { test } from 'node:test';
import { variantOf } from './variant.ts';

test('a request chooses by what the origin looks at, and not by who asks', () => {
  const cases: readonly [string | undefined, Record<string, string>, string][] = [
    [undefined, { accept: 'a/b' }, ''],
    ['Accept', { accept: '*/*' }, ''],
    ['Accept', {}, ''],
    ['Accept', { accept: 'a/b,c/d' }, 'accept: a/b,c/d'],
    ['accept , X-Tenant', { accept: 'a/b, c/d', 'x-tenant': 't' }, 'accept: a/b,c/d\nx-tenant: t'],
    ['X-Tenant, ACCEPT, accept', { accept: 'a/b , c/d', 'x-tenant': 't' }, 'accept: a/b,c/d\nx-tenant: t'],
    ['*', { accept: 'a/b' }, ''],
    ['Accept-Encoding, Origin, Cookie', { 'accept-encoding': 'gzip', origin: 'http://a', cookie: 'a' }, ''],
  ];
  for (const [vary, header, expected] of cases) assert.equal(variantOf(vary, header), expected, String(vary));
});
