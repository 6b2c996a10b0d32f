import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallPlaces } from './call-places.ts';

test('one address takes a part of the places, all together no more than there are, and they are given back', () => {
  const places = new CallPlaces(8);
  const take = (address: string): Disposable => places.take(address);
  const full = { code: 'RESOURCE_EXHAUSTED' };
  const [first, second] = [take('a'), take('a')];
  assert.throws(() => take('a'), full);
  first[Symbol.dispose]();
  take('a');
  for (const address of ['b', 'b', 'c', 'c', 'd', 'd']) take(address);
  assert.throws(() => take('e'), full);
  second[Symbol.dispose]();
  take('e');
});

test('one caller takes no more than a number, however many there are', () => {
  const places = new CallPlaces(1000);
  for (let count = 0; count < 3; count += 1) places.take('a', 3);
  assert.throws(() => places.take('a', 3), { code: 'RESOURCE_EXHAUSTED' });
  places.take('b', 3);
  places.take('a', 10);
});
