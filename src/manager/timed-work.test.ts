import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timedWork, type TimedParts } from './timed-work.ts';

function reapedWith(timeout: number): { run: () => Promise<unknown>; reaped: number[] } {
  const reaped: number[] = [];
  const parts = {
    config: { liveness: { timeout, forgetAfter: 1000 }, job: { syncPeers: { interval: 1000 } } },
    members: { reap: async (ms: number) => reaped.push(ms) },
  } as unknown as TimedParts;
  const work = timedWork(parts).find(({ name }) => name === 'reap silent members');
  assert(work);
  return { run: () => work.run(new AbortController().signal), reaped };
}

test('members are not called silent by a manager that has not been there to hear them', async () => {
  const fresh = reapedWith(3_600_000);
  await fresh.run();
  assert.deepEqual(fresh.reaped, []);
  const longThere = reapedWith(0);
  await longThere.run();
  assert.deepEqual(longThere.reaped, [0]);
});
