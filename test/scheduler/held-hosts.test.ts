/** A stream that holds a host leaves nothing behind on what outlives it. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { HeldHosts } from '../../src/scheduler/hosts/held-hosts.ts';

test('streams that have ended leave no listener on the signal by which the scheduler drains', async () => {
  const known = { holders: 0, unreachable: false };
  const brain = { hosts: new Map([['h', known]]), objects: { hold: () => ({ [Symbol.dispose]: () => undefined }) } };
  const originals = { present: false, onChange: () => () => undefined };
  await using held = new HeldHosts(brain as never, originals as never, 60_000);
  const draining = new AbortController().signal;
  for (let stream = 0; stream < 3; stream += 1) {
    const leaving = new AbortController();
    const told = held.hold({ hostId: 'h' }, { signal: leaving.signal, draining } as never);
    assert.deepEqual((await told.next()).value, { unreachable: false, originalDaemons: false, changedObjects: [] });
    const ended = told.next();
    assert.equal(known.holders, 1);
    leaving.abort();
    assert.equal((await ended).done, true);
    assert.equal(known.holders, 0);
  }
  assert.equal(getEventListeners(draining, 'abort').length, 0);
});
