import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ObjectWatches } from './object-watches.ts';

const settled = async (promise: Promise<void>): Promise<boolean> =>
  Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);

function hostOf(watches: ObjectWatches, hostId: string): { readonly told: string[]; readonly held: Disposable } {
  const told: string[] = [];
  return { told, held: watches.hold(hostId, (keys) => told.push(...keys)) };
}

test('a change ends when all others have let go, and who has changed it is not told', async () => {
  const watches = new ObjectWatches();
  const [a, b, c] = ['a', 'b', 'c'].map((id) => hostOf(watches, id));
  for (const id of ['a', 'b', 'c']) assert.ok(watches.watch(id, ['object', 'bucket']));
  const change = watches.changed('a', 'object', 0);
  assert.deepEqual([a?.told, b?.told, c?.told], [[], ['object'], ['object']]);
  watches.letGo('b', 'object');
  assert.equal(await settled(change), false);
  watches.letGo('c', 'object');
  await change;
  assert.equal(await settled(watches.changed('a', 'object', 0)), true, 'nobody else watches any more');
  const all = watches.changed('a', 'bucket', 0);
  assert.deepEqual(b?.told, ['object', 'bucket']);
  for (const id of ['b', 'c']) watches.letGo(id, 'bucket');
  await all;
});

test('a host that is gone is not waited for, and one that is not held watches nothing', async () => {
  const watches = new ObjectWatches();
  const first = hostOf(watches, 'a');
  const second = hostOf(watches, 'a'); // the host comes back before its first stream has broken
  assert.ok(watches.watch('a', ['object']));
  const change = watches.changed('b', 'object', 0);
  first.held[Symbol.dispose]();
  assert.equal(await settled(change), false);
  second.held[Symbol.dispose]();
  await change;
  assert.equal(watches.watch('a', ['object']), false);
  assert.equal(await settled(watches.changed('b', 'object', 0)), true);
});

test('the length of parts is that of the last change', async () => {
  const watches = new ObjectWatches();
  await watches.changed('a', 'object', 5_000_000);
  assert.equal(watches.partLengthOf('object'), 5_000_000);
  await watches.changed('a', 'object', 0);
  assert.equal(watches.partLengthOf('object'), 0);
});
