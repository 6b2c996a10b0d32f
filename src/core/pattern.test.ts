import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePattern, patternProblem } from './pattern.ts';

const cases: [pattern: string, text: string, expected: boolean][] = [
  ['blobs/sha256.*', 'http://h/v2/a/blobs/sha256:1', true],
  ['^http://a/', 'http://b/http://a/', false],
  ['(?i)^ABC\\z', 'abc', true],
  ['\\Aabc', 'xabc', false],
  ['(?P<host>[a-z]+)\\.example$', 'http://a.example', true],
  ['(?<host>[a-z]+)\\.example$', 'http://a.example', true],
  ['[[:digit:]]+', 'a1', true],
  ['\\.bin$', 'x.bin?y', false],
  ['^[^/]+//[^/]+/(models|datasets)/', 'https://hub/models/x', true],
  ['a\\/b', 'a/b', true],
];
for (const [pattern, text, expected] of cases) {
  test(`${pattern} ${expected ? 'matches' : 'does not match'} ${text}`, () => {
    assert.equal(compilePattern(pattern)?.test(text), expected);
  });
}

/** Each would keep a backtracking engine busy for seconds to centuries, so that the test would never end. */
const slow: [pattern: string, text: string][] = [
  ['^https?://([a-z0-9-]+\\.?)+\\.corp\\.example/', `https://${'a'.repeat(60)}.corp.exampl`],
  ['.*/models/.*/snapshots/.*\\.(bin|safetensors)$', `http://h${'/models/x/snapshots/y.bin'.repeat(2000)}!`],
  ['.*blobs/sha256.*', `http://h/${'a'.repeat(60_000)}`],
  ['(a+)+$', `${'a'.repeat(60_000)}!`],
  ['(a|aa)+$', `${'a'.repeat(60_000)}!`],
  ['(.*)(.*)(.*)(.*)(.*)(.*)x$', 'a'.repeat(10_000)],
];
for (const [pattern, text] of slow) {
  test(`${pattern} is done at once`, () => assert.equal(compilePattern(pattern)?.test(text), false));
}

test('what cannot be used is told with its remedy', () => {
  assert.match(patternProblem('(?=a)b') ?? '', /look-ahead and look-behind are not supported/);
  assert.match(patternProblem('(?<!a)b') ?? '', /look-ahead and look-behind are not supported/);
  assert.match(patternProblem('(a)\\1') ?? '', /back references are not supported/);
  assert.match(patternProblem('(') ?? '', /missing closing \)/);
  assert.match(patternProblem('a'.repeat(5000)) ?? '', /longer than 4096/);
  assert.equal(compilePattern('('), undefined);
  assert.equal(patternProblem('a'), undefined);
});

test('groups are replaced as Go and Rust write them', () => {
  const pattern = compilePattern('http://(?P<host>[^/]*)/mirror/');
  for (const replacement of ['http://cdn/${1}/', 'http://cdn/$1/', 'http://cdn/${host}/', 'http://cdn/$host/']) {
    assert.equal(pattern?.replaceAll('http://h/mirror/x', replacement), 'http://cdn/h/x', replacement);
  }
});
