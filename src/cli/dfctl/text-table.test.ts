import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortened } from './text-table.ts';

test('a text that does not fit keeps both ends and fills the room', () => {
  const url = 'https://models.example/org/model/resolve/main/model.safetensors';
  assert.equal(shortened(url, 21), 'https://mo…afetensors');
  assert.equal(shortened(url, 20).length, 20);
  assert.equal(shortened(url, url.length), url);
});
