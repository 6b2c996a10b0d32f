/** Few uploads at a time: who comes meanwhile is told so, or waits in line when it could not understand. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { UploadDesk } from '../../src/dfdaemon/transport/upload-desk.ts';
import { hasCode } from '../storage/fixtures.ts';
import { Child, pieceLengthBytes, startParent, transportContent } from './fixtures.ts';

const signal = new AbortController().signal;
const bytes = 4 * 2 ** 20;

test('while one upload runs another child is told to ask elsewhere, one without that word waits', async () => {
  await using desk = new UploadDesk({ maxActive: 1 });
  const first = await desk.enter({ childId: 'a', taskId: 'task', piece: 0, bytes }, signal);
  assert(first);
  assert.equal(await desk.enter({ childId: 'b', taskId: 'task', piece: 1, bytes }, signal), undefined);
  const waiting = desk.enter({ childId: 'c', taskId: 'task', piece: 2, patient: true, bytes }, signal);
  first[Symbol.dispose]();
  using second = await waiting;
  assert(second);
});

test('a child that leaves the line gives its place up', async () => {
  await using desk = new UploadDesk({ maxActive: 1 });
  using first = await desk.enter({ childId: 'a', taskId: 'task', piece: 0, bytes }, signal);
  assert(first);
  const leaving = new AbortController();
  const waiting = desk.enter({ childId: 'b', taskId: 'task', piece: 1, patient: true, bytes }, leaving.signal);
  leaving.abort(new Error('gone'));
  await assert.rejects(waiting);
  first[Symbol.dispose]();
  using next = await desk.enter({ childId: 'c', taskId: 'task', piece: 2, bytes }, signal);
  assert(next, 'nothing is left of the child that went away');
});

test('one address takes half of the places, running and waiting, and gives them back', async () => {
  await using desk = new UploadDesk({ maxActive: 4, atOrigin: () => true });
  const leaving = new AbortController();
  const enter = (address: string, piece: number, patient = false) =>
    desk.enter({ childId: `${address} ${piece}`, taskId: 'task', piece, bytes, address, patient }, leaving.signal);
  const taken = await Promise.all([enter('slow', 0), enter('slow', 1)]);
  assert(taken.every((turn) => turn !== undefined));
  assert.equal(await enter('slow', 2), undefined);
  assert.equal(await enter('slow', 3, true), undefined, 'nor in the line');
  using other = await enter('other', 4);
  assert(other);
  const waiting = enter('other', 5, true);
  taken[0]?.[Symbol.dispose]();
  taken[0]?.[Symbol.dispose]();
  using moved = await waiting;
  assert(moved);
  taken[1]?.[Symbol.dispose]();
  using again = await enter('slow', 6);
  assert(again);
  assert.equal(await enter('other', 7), undefined);
});

test('its listeners hear how much there is to do', async () => {
  await using desk = new UploadDesk({ maxActive: 1 });
  const loads: number[] = [];
  const heard = new EventTarget();
  desk.onLoad((load) => {
    loads.push(load);
    heard.dispatchEvent(new Event(`load ${load}`));
  });
  const busy = once(heard, 'load 1', { signal: AbortSignal.timeout(30_000) });
  const turn = await desk.enter({ childId: 'a', taskId: 'task', piece: 0, bytes }, signal);
  await busy;
  const free = once(heard, 'load 0', { signal: AbortSignal.timeout(30_000) });
  turn?.[Symbol.dispose]();
  await free;
  assert.deepEqual(loads, [1, 0]);
});

test('over the wire: busy concerns one request, is heard of, and the connection goes on', async (t) => {
  const content = transportContent(2 * pieceLengthBytes);
  await using desk = new UploadDesk({ maxActive: 1 });
  const asked: number[] = [];
  const { server } = await startParent(t, content, { uploads: desk, onAsked: (_, piece) => asked.push(piece) });
  const child = await Child.create(t, content.length);
  const turn = await desk.enter({ childId: 'another', taskId: 'task', piece: 0, bytes }, signal);
  await assert.rejects(child.fetch(0, server.port), hasCode('RESOURCE_EXHAUSTED'));
  turn?.[Symbol.dispose]();
  await child.fetch(0, server.port);
  await child.fetch(1, server.port);
  assert.deepEqual(asked, [0, 0, 1]);
});

test('a child of the original gets its piece when it is its turn', async (t) => {
  const content = transportContent(pieceLengthBytes);
  await using desk = new UploadDesk({ maxActive: 1 });
  const { server } = await startParent(t, content, { uploads: desk });
  const child = await Child.create(t, content.length);
  const turn = await desk.enter({ childId: 'another', taskId: 'task', piece: 0, bytes }, signal);
  const waiting = Promise.withResolvers<void>();
  desk.onLoad((load) => (load === 2 ? waiting.resolve() : undefined));
  const fetched = child.fetch(0, server.port, { persistent: false });
  await waiting.promise;
  turn?.[Symbol.dispose]();
  await fetched;
});

test('a request that comes while the last bytes of another leave is taken, and begins when they have', async () => {
  await using desk = new UploadDesk({ maxActive: 1 });
  const first = await desk.enter({ childId: 'a', taskId: 'task', piece: 0, bytes }, signal);
  assert(first);
  for (const part of [bytes / 4, bytes / 2]) first.sent(part);
  // a round trip that is longer than this machine may stand still
  const waiting = desk.enter({ childId: 'b', taskId: 'task', piece: 1, bytes, roundTripMs: 1e6 }, signal);
  const refused = await desk.enter({ childId: 'c', taskId: 'task', piece: 2, bytes, roundTripMs: 1e6 }, signal);
  assert.equal(refused, undefined, 'the place is promised');
  first[Symbol.dispose]();
  using second = await waiting;
  assert(second);
});
