import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { wrapped } from './wrapped-text.ts';

test('lines end at 80 columns, where words let them, and nothing is lost', () => {
  assert.equal(wrapped('short'), 'short');
  assert.equal(wrapped(`a ${'b'.repeat(100)} c`), `a\n  ${'b'.repeat(100)}\n  c`);
  assert.equal(wrapped('first line\nsecond'), 'first line\nsecond');
  const words = fc.array(fc.stringMatching(/^[a-z]{1,30}$/), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(words, (list) => {
      const text = wrapped(list.join(' '));
      assert.ok(text.split('\n').every((line) => line.length <= 80));
      assert.deepEqual(text.split(/\s+/), list);
    }),
  );
});
