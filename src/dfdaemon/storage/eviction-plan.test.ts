import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { planEviction, type EvictionCandidate, type EvictionPressure } from './eviction-plan.ts';

const calm: EvictionPressure = { nowMs: 1000, ttlMs: 0, excessBytes: 0, lackingBytes: 0, excessTasks: 0 };

function task(id: string, lastUsedMs: number, more: Partial<EvictionCandidate> = {}): EvictionCandidate {
  return { id, bytes: 10, freedBytes: 10, lastUsedMs, inUse: false, ...more };
}

describe('the eviction plan', () => {
  test('takes the least recently used until enough is freed', () => {
    const tasks = [task('new', 900), task('old', 100), task('middle', 500)];
    assert.deepEqual(planEviction(tasks, { ...calm, excessBytes: 11 }), ['old', 'middle']);
    assert.deepEqual(planEviction(tasks, { ...calm, excessTasks: 1 }), ['old']);
    assert.deepEqual(planEviction(tasks, calm), []);
  });

  test('takes expired tasks whatever the space', () => {
    assert.deepEqual(planEviction([task('a', 100), task('b', 950)], { ...calm, ttlMs: 100 }), ['a']);
  });

  test('spares what gives the file system nothing back when only that is asked for', () => {
    const tasks = [task('linked', 1, { freedBytes: 0 }), task('plain', 2)];
    assert.deepEqual(planEviction(tasks, { ...calm, lackingBytes: 1 }), ['plain']);
    assert.deepEqual(planEviction(tasks, { ...calm, excessBytes: 1 }), ['linked']);
  });

  test('never takes a task in use, and no more than it has to', () => {
    const candidates = fc.uniqueArray(
      fc.record({
        id: fc.uuid(),
        bytes: fc.nat(1000),
        lastUsedMs: fc.nat(1000),
        inUse: fc.boolean(),
      }),
      { selector: ({ id }) => id },
    );
    fc.assert(
      fc.property(candidates, fc.nat(20_000), (list, excessBytes) => {
        const tasks = list.map((item) => ({ ...item, freedBytes: item.bytes }));
        const plan = planEviction(tasks, { ...calm, excessBytes });
        const taken = plan.map((id) => tasks.find((item) => item.id === id));
        assert(taken.every((item) => item && !item.inUse));
        const freed = taken.reduce((sum, item) => sum + (item?.bytes ?? 0), 0);
        const last = taken.at(-1)?.bytes ?? 0;
        assert(freed - last < excessBytes || plan.length === 0);
        const takeable = tasks.filter((item) => !item.inUse).reduce((sum, item) => sum + item.bytes, 0);
        assert(freed >= Math.min(excessBytes, takeable));
      }),
    );
  });
});
