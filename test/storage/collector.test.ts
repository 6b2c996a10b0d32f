import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { existsSync } from 'node:fs';
import { Collector, type CollectorPolicy } from '../../src/dfdaemon/storage/collector.ts';
import { maxOfflineAgeMs } from '../../src/dfdaemon/storage/limits.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { contentBytes, hasCode, scratchDirectory, storeContent, taskIdOf } from './fixtures.ts';

const pieceLengthBytes = 4 * 2 ** 20;
const hourMs = 3_600_000;

/** A clock whose wall can be set without time going by. */
class SettableTime {
  monotonic = 0;
  wall = 1_700_000_000_000;
  pass(ms: number): void {
    this.monotonic += ms;
    this.wall += ms;
  }
  monotonicMs = (): number => this.monotonic;
  wallMs = (): number => this.wall;
}

async function openStore(t: TestContext, time: SettableTime, directory = scratchDirectory(t)): Promise<TaskStore> {
  const store = await TaskStore.open({ directory, time });
  t.after(() => store[Symbol.asyncDispose]());
  return store;
}

async function put(store: TaskStore, name: string, bytes: number): Promise<string> {
  const id = taskIdOf(name);
  await storeContent(store.open(id, { url: `http://origin/${name}` }), contentBytes(bytes, 1), { pieceLengthBytes });
  return id;
}

const collector = (store: TaskStore, policy: Partial<CollectorPolicy>): Collector =>
  Collector.create({ store, policy: { highPercent: 100, ...policy } });

describe('the collector', () => {
  test('expires what nobody used, and nothing when the date of the machine is set', async (t) => {
    const time = new SettableTime();
    const store = await openStore(t, time);
    const collect = collector(store, { ttlMs: 10 * hourMs });
    await put(store, 'stale', 100);
    time.pass(6 * hourMs);
    const fresh = await put(store, 'fresh', 100);
    time.wall += 10 * 365 * 24 * hourMs;
    assert.equal((await collect.collect()).removedTasks, 0);
    time.wall -= 20 * 365 * 24 * hourMs;
    time.pass(6 * hourMs);
    assert.deepEqual(await collect.collect(), { removedTasks: 1, removedBytes: 100 });
    assert.deepEqual(
      store.list().map((task) => task.id),
      [fresh],
    );
  });

  test('room for more is found without a look at all that is held, where nothing has to go', async (t) => {
    const store = await openStore(t, new SettableTime());
    await put(store, 'held', 1000);
    const using = store.get(taskIdOf('held'))?.pin();
    let looks = 0;
    const list = store.list.bind(store);
    store.list = () => {
      looks += 1;
      return list();
    };
    const collect = collector(store, { quotaBytes: 10_000 });
    await collect.makeRoom(9_000);
    assert.equal(looks, 0);
    await assert.rejects(collect.makeRoom(9_001), hasCode('NO_SPACE'));
    using?.release();
    await collect.makeRoom(9_001);
    assert.ok(looks > 0);
  });

  test('over a restart tasks age by the time switched off, within a bound', async (t) => {
    const time = new SettableTime();
    const directory = scratchDirectory(t);
    const first = await openStore(t, time, directory);
    await put(first, 'kept', 100);
    await first[Symbol.asyncDispose]();
    time.wall += 100 * maxOfflineAgeMs;
    time.monotonic = 5;
    const second = await openStore(t, time, directory);
    assert.equal((await collector(second, { ttlMs: maxOfflineAgeMs + hourMs }).collect()).removedTasks, 0);
    assert.equal((await collector(second, { ttlMs: maxOfflineAgeMs - hourMs }).collect()).removedTasks, 1);
  });

  test('brings the store down to the low mark of its quota, least recently used first, nothing in use', async (t) => {
    const time = new SettableTime();
    const store = await openStore(t, time);
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c', 'd']) {
      ids.push(await put(store, name, 1000));
      time.pass(1000);
    }
    const [a, b, c, d] = ids as [string, string, string, string];
    store.get(b)?.touch();
    using _pin = store.get(a)?.pin();
    const report = await collector(store, {
      ttlMs: 0,
      quotaBytes: 3500,
      highPercent: 100,
      marginPercent: 20,
    }).collect();
    assert.deepEqual(report, { removedTasks: 2, removedBytes: 2000 });
    assert.deepEqual(
      [a, b, c, d].map((id) => store.get(id) !== undefined),
      [true, true, false, false],
    );
    assert.equal(store.usedBytes, 2000);
  });

  test('makes room for a download and refuses one that cannot fit', async (t) => {
    const time = new SettableTime();
    const store = await openStore(t, time);
    const old = await put(store, 'old', 3000);
    const path = store.get(old)?.content.path ?? '';
    const collect = collector(store, { ttlMs: 0, quotaBytes: 4000 });
    await collect.makeRoom(1000);
    assert(store.get(old));
    await collect.makeRoom(3500);
    assert(store.get(old), 'a promise empties no store');
    time.pass(1);
    const growing = await put(store, 'growing', 3500);
    await collect.collect();
    assert.equal(store.get(old), undefined);
    assert(!existsSync(path));
    store.remove(growing);
    const running = store.open(taskIdOf('running'), { url: 'http://origin/running' });
    using _pin = running.pin();
    running.setLayout({ contentLengthBytes: 3500, pieceLengthBytes });
    await assert.rejects(collect.makeRoom(1000), hasCode('NO_SPACE'));
    await assert.rejects(collect.makeRoom(4001), hasCode('NO_SPACE'));
    await collect.makeRoom(400);
  });

  test('gives way when the file system is nearly full', async (t) => {
    const time = new SettableTime();
    const store = await openStore(t, time);
    await put(store, 'first', 1000);
    time.pass(1);
    const second = await put(store, 'second', 1000);
    const diskSpace = () => Promise.resolve({ usedBytes: 8500 + store.usedBytes / 2, availableBytes: 1000 });
    const collect = Collector.create({ store, policy: { ttlMs: 0, highPercent: 90, marginPercent: 5 }, diskSpace });
    assert.equal((await collect.collect()).removedTasks, 1);
    assert(store.get(second));
    await assert.rejects(collect.makeRoom(100_000), hasCode('NO_SPACE'));
  });

  test('goes down by the whole share when the margin is wider, and to the mark alone without one', async (t) => {
    for (const [marginPercent, left] of [
      [0, 3],
      [50, 1],
      [100, 0],
    ] as const) {
      const store = await openStore(t, new SettableTime());
      for (const name of ['a', 'b', 'c', 'd']) await put(store, name, 1000);
      await collector(store, { ttlMs: 0, quotaBytes: 3000, highPercent: 90, marginPercent }).collect();
      assert.equal(store.taskCount, left);
    }
  });

  test('holds the number of tasks', async (t) => {
    const time = new SettableTime();
    const store = await openStore(t, time);
    for (let index = 0; index < 5; index += 1) {
      await put(store, `small ${index}`, 10);
      time.pass(1);
    }
    await collector(store, { ttlMs: 0, maxTasks: 3 }).collect();
    assert.deepEqual(
      store.list().map((task) => task.identity.url),
      ['http://origin/small 2', 'http://origin/small 3', 'http://origin/small 4'],
    );
  });
});
