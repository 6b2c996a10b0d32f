import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafePattern } from './safe-pattern.ts';

for (const pattern of ['^gpu-\\d+$', 'node[0-9]+-(a|b)', 'a.*b', '(foo)?bar', '[a-z]{3,5}', '(abc)+', '\\(a+\\)+']) {
  test(`${pattern} is safe`, () => assert.equal(isSafePattern(pattern), true));
}

for (const pattern of [
  '(a+)+$',
  '(a|aa)+$',
  '((a)|b)*',
  '([a-z]+)*',
  '(.*){2}',
  '(a)\\1',
  '(?=a)b',
  'a*a*a*a*b',
  '(',
  '(a{1,9}){1,9}',
]) {
  test(`${pattern} is refused`, () => assert.equal(isSafePattern(pattern), false));
}
