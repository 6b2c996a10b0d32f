import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maxPieceNumber, PieceSet } from './piece-set.ts';

const numbers = fc.uniqueArray(fc.nat(700), { maxLength: 200 });
const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);

test('behaves as a set of numbers', () => {
  fc.assert(
    fc.property(numbers, numbers, (a, b) => {
      const [left, right] = [PieceSet.of(a), PieceSet.of(b)];
      assert.deepEqual([...left], sorted(a));
      assert.equal(left.count, a.length);
      const all = left.clone();
      all.addAll(right);
      assert.deepEqual([...all], sorted(new Set([...a, ...b])));
      assert.deepEqual([...left.difference(right)], sorted(a.filter((n) => !b.includes(n))));
      assert.deepEqual([...left.intersection(right)], sorted(a.filter((n) => b.includes(n))));
      assert.equal(left.countNotIn(right), a.filter((n) => !b.includes(n)).length);
      assert.equal(
        left.hasAll(right),
        b.every((n) => a.includes(n)),
      );
      const missing = Array.from({ length: 710 }, (_, n) => n).find((n) => !a.includes(n));
      assert.equal(left.firstMissing(0, 710), missing);
      for (const n of a) assert(left.delete(n) && !left.delete(n));
      assert.equal(left.count, 0);
    }),
  );
});

test('survives the wire', () => {
  fc.assert(
    fc.property(numbers, (a) => {
      const set = PieceSet.of(a);
      const back = PieceSet.fromBytes(set.toBytes());
      assert.deepEqual([...back], [...set]);
      assert.equal(back.count, set.count);
    }),
  );
  assert.deepEqual([...PieceSet.of([0, 9, 10]).toBytes()], [0b1, 0b110]);
  assert.equal(new PieceSet(1000).toBytes().length, 0);
});

test('skips full words when looking for the first missing piece', () => {
  const set = PieceSet.range(0, 100);
  assert.equal(set.firstMissing(0, 100), undefined);
  assert.equal(set.firstMissing(3, 101), 100);
  set.delete(64);
  assert.equal(set.firstMissing(0, 100), 64);
});

test('a hostile number cannot make it grow without bound', () => {
  const set = new PieceSet();
  assert.throws(() => set.add(maxPieceNumber + 1), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => set.add(-1), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => set.add(1.5), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => PieceSet.fromBytes(new Uint8Array(2 ** 17 + 1)), { code: 'INVALID_ARGUMENT' });
  set.add(0);
  assert.equal(set.has(2 ** 40), false);
});

test('more pieces than there can be cost nothing', () => {
  for (const count of [maxPieceNumber + 2, 2 ** 31, Number.MAX_SAFE_INTEGER])
    assert.throws(() => PieceSet.range(0, count), { code: 'INVALID_ARGUMENT' });
  assert.equal(PieceSet.range(0, maxPieceNumber + 1).count, maxPieceNumber + 1);
  assert.equal(new PieceSet(Number.MAX_SAFE_INTEGER).count, 0);
});
