import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonLimits } from '../limits.ts';
import { patienceMs, StarvationWatch } from './starvation-watch.ts';

/** Runs a watch of an idle download until it gives up; how often it has asked by then. */
async function asksOf(answers: (nth: number) => boolean): Promise<number> {
  let asked = 0;
  const gaveUp = Promise.withResolvers<void>();
  const watch = new StarvationWatch({
    patienceMs: () => 1,
    promiseMs: () => 0,
    ask: () => answers(asked++),
    giveUp: () => gaveUp.resolve(),
  });
  watch.idle();
  await gaveUp.promise;
  watch.busy();
  return asked;
}

test('a scheduler that is there is asked before the node goes to the origin by itself', async () => {
  assert.equal(await asksOf(() => true), daemonLimits.starvedAsks);
});

test('one that says each time that somebody is at the origin is asked on, for as long as that can be', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  let asked = 0;
  let gaveUpAtMs = 0;
  const watch = new StarvationWatch({
    patienceMs: () => 1000,
    promiseMs: () => 30_000,
    ask: () => {
      asked += 1;
      watch.promised();
      return true;
    },
    giveUp: () => (gaveUpAtMs = nowMs),
  });
  watch.idle();
  while (gaveUpAtMs === 0 && nowMs < 60_000) {
    nowMs += 1000;
    t.mock.timers.tick(1000);
  }
  assert.equal(gaveUpAtMs, 29_000 + 1000 * daemonLimits.starvedAsks); // the last promise that counted came at 29
});

test('without one, or when it has gone, nobody is waited for', async () => {
  assert.equal(await asksOf(() => false), 1);
  assert.equal(await asksOf((nth) => nth === 0), 2);
});

test('whoever gets something to do has all its patience again', async () => {
  let asked = 0;
  const again = Promise.withResolvers<void>();
  const gaveUp = Promise.withResolvers<void>();
  const watch = new StarvationWatch({
    patienceMs: () => 1,
    promiseMs: () => 0,
    ask: () => {
      asked += 1;
      if (asked === daemonLimits.starvedAsks) setImmediate(() => again.resolve());
      return true;
    },
    giveUp: () => gaveUp.resolve(),
  });
  watch.idle();
  await again.promise;
  const before = asked;
  watch.busy();
  watch.idle();
  await gaveUp.promise;
  assert.equal(asked - before, daemonLimits.starvedAsks);
});

test('a scheduler that is lost is waited for from then on, and once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const pass = (ms: number): void => {
    nowMs += ms;
    t.mock.timers.tick(ms);
  };
  let patience = 30_000;
  let gaveUp = 0;
  const watch = new StarvationWatch({
    patienceMs: () => patience,
    promiseMs: () => 0,
    ask: () => false,
    giveUp: () => (gaveUp += 1),
  });
  watch.idle();
  pass(20_000);
  patience = 5_000;
  const lose = (): void => {
    watch.schedulerLost();
    watch.idle();
  };
  lose();
  pass(4_000);
  assert.equal(gaveUp, 0);
  lose();
  pass(1_000);
  assert.equal(gaveUp, 1);
  watch.busy();
});

test('patience follows what there is to hope for', () => {
  const nobody = { seen: false, hasParents: false, scheduleTimeoutMs: 30_000, pieceTimeoutMs: 20_000 };
  assert.equal(patienceMs({ ...nobody, scheduler: 'lost', kinds: 'none' }), 0);
  assert.equal(patienceMs({ ...nobody, scheduler: 'connected', kinds: 'held' }), daemonLimits.nothingGivenMs);
  assert.equal(patienceMs({ ...nobody, hasParents: true, scheduler: 'connected', kinds: 'held' }), 30_000);
  assert.equal(patienceMs({ ...nobody, scheduler: 'connected', kinds: 'original' }), 30_000);
  assert.equal(patienceMs({ ...nobody, scheduler: 'asked', kinds: 'original' }), 30_000);
  assert.equal(patienceMs({ ...nobody, scheduler: 'asked', kinds: 'extended' }), daemonLimits.starvedMs);
  assert.equal(patienceMs({ ...nobody, scheduler: 'asked', kinds: 'returning' }), daemonLimits.schedulerReturnMs);
  const busy = patienceMs({ ...nobody, scheduler: 'asked', kinds: 'held' });
  assert.ok(busy > daemonLimits.schedulerOpenTimeoutMs, 'the next on the ring gets its turn');
  assert.equal(patienceMs({ ...nobody, scheduler: 'lost', kinds: 'held' }), daemonLimits.starvedMs);
  assert.equal(
    patienceMs({ ...nobody, seen: true, scheduler: 'lost', kinds: 'extended' }),
    daemonLimits.schedulerReturnMs,
  );
  assert.equal(patienceMs({ ...nobody, hasParents: true, scheduler: 'lost', kinds: 'held' }), 20_000);
});
