/** Rejects JSON that is nested too deeply for recursive code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxJsonDepth } from '../limits.ts';
import { requireShallow } from './json-depth.ts';

test('a body nests as deep as ours do, brackets in texts do not count', () => {
  const nested = (depth: number): string => '[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2);
  assert.doesNotThrow(() => requireShallow(nested(maxJsonDepth)));
  assert.throws(() => requireShallow(nested(maxJsonDepth + 2)), { code: 'INVALID_ARGUMENT' });
  assert.doesNotThrow(() => requireShallow(JSON.stringify({ text: '[{"\\'.repeat(100), list: [[], {}, []] })));
});
