import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Freshness } from './freshness.ts';

const url = new URL('https://origin.example/a');
const answered = (header: Record<string, string>, requestHeader: Record<string, string> = {}) =>
  new Freshness({ url, requestHeader, statusCode: 200, header: { date: new Date().toUTCString(), ...header } });

test('what is fresh is used again, by those the answer is for', () => {
  const cases: readonly [Record<string, string>, Record<string, string>, Record<string, string>, boolean][] = [
    [{ 'cache-control': 'max-age=60' }, {}, {}, true],
    [{ 'cache-control': 'MaX-AgE=60' }, {}, {}, true],
    [{ 'cache-control': 'foo="max-age=60"' }, {}, {}, false],
    [{ 'cache-control': 'max-age=60', age: '61' }, {}, {}, false],
    [{ 'cache-control': 'max-age=60', age: '0, 0' }, {}, {}, false],
    [{ 'cache-control': 'max-age=60', age: '0,7200' }, {}, {}, true],
    [{ 'cache-control': 'max-age=60', age: '7200,0' }, {}, {}, false],
    [{ 'cache-control': 'must-revalidate, max-age=60' }, {}, {}, true],
    [{ 'cache-control': 'must-revalidate, max-age=0' }, {}, {}, false],
    [{ 'cache-control': 'private, max-age=60' }, {}, {}, false],
    [{ 'cache-control': 'nO-StOrE, max-age=60' }, {}, {}, false],
    [{ 'cache-control': 'no-cache, max-age=60' }, {}, {}, false],
    [{ 'cache-control': 's-maxage=0, max-age=60' }, {}, {}, false],
    [{ 'cache-control': 'max-age=60', 'set-cookie': 'a=b' }, {}, {}, false],
    [{ 'cache-control': 'max-age=60' }, {}, { 'cache-control': 'no-cache' }, false],
    [{ 'cache-control': 'max-age=60' }, {}, { 'cache-control': 'max-age=0, foo' }, false],
    [{ 'cache-control': 'max-age=60' }, {}, { 'cache-control': 'no-store' }, false],
    [{ 'cache-control': 'max-age=60' }, {}, { pragma: 'no-cache' }, false],
    [{ 'cache-control': 'max-age=60', vary: 'accept' }, { accept: 'a' }, { accept: 'a' }, true],
    [{ 'cache-control': 'max-age=60', vary: 'Accept' }, { accept: 'a' }, { accept: 'b' }, false],
    [{ 'cache-control': 'max-age=60', vary: '*' }, {}, {}, false],
    // compressed, but without a Vary that says so
    [{ 'cache-control': 'max-age=60', 'content-encoding': 'gzip' }, { 'accept-encoding': 'gzip' }, {}, false],
    [
      { 'cache-control': 'max-age=60', 'content-encoding': 'gzip' },
      { 'accept-encoding': 'gzip' },
      { 'accept-encoding': 'gzip' },
      true,
    ],
    // neither heuristic freshness nor answers to other callers count
    [{ 'last-modified': 'Fri, 20 Nov 2020 10:00:00 GMT' }, {}, {}, false],
    [{ 'cache-control': 'max-age=60' }, { cookie: 'alice' }, {}, false],
    [{ 'cache-control': 'max-age=60' }, {}, { cookie: 'bob' }, false],
    [{ 'cache-control': 'public, max-age=60' }, { authorization: 'alice' }, { authorization: 'bob' }, false],
    [{ 'cache-control': 'public, max-age=60' }, { authorization: 'alice' }, { authorization: 'alice' }, true],
    [{ 'cache-control': 'max-age=60' }, { 'private-token': 'alice' }, { 'private-token': 'bob' }, false],
  ];
  for (const [header, before, now, expected] of cases)
    assert.equal(answered(header, before).isFresh(url, now), expected, JSON.stringify([header, before, now]));
});
