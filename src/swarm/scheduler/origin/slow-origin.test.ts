/** An origin that takes its time before its first byte, as one does that fetches or scans what it is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../../shared/decisions.ts';
import { allFeatures } from '../../shared/events.ts';
import { seededRandom } from '../../shared/random.ts';
import { assertInvariants } from '../invariants.ts';
import { defaultSwarmLimits } from '../limits.ts';
import { Swarm } from '../swarm.ts';

const { leaseStallMs } = defaultSwarmLimits;
const everyMs = 100;

/** The origin is silent; who has a lease says that he is there. Returns who was sent to it when. */
function silence(names: readonly string[], untilMs: number): { holder: string; atMs: number }[] {
  const swarm = new Swarm({ random: seededRandom(1) });
  const facts = { idc: '', location: '', maxTxBitsPerSec: 0, disableShared: false, announceIntervalMs: 3_600_000 };
  const sent: { holder: string; atMs: number }[] = [];
  const holders = new Set<string>();
  const note = (decisions: readonly Decision[], atMs: number): void => {
    for (const one of decisions) {
      if (one.kind === 'grant-origin-lease') sent.push({ holder: one.peerId, atMs });
      if (one.kind === 'grant-origin-lease') holders.add(one.peerId);
      if (one.kind === 'revoke-origin-lease') holders.delete(one.peerId);
    }
  };
  for (const name of names) {
    swarm.announceHost({ hostId: name, type: 'normal', ...facts }, 0);
    const rules = { priority: 6, needBackToSource: false, disableBackToSource: false, features: allFeatures };
    note(swarm.registerPeer({ peerId: name, hostId: name, taskId: 'task', url: 'http://origin/a', ...rules }, 0), 0);
  }
  for (let nowMs = everyMs; nowMs <= untilMs; nowMs += everyMs) {
    for (const name of Array.from(holders))
      note(swarm.originProgress(name, { aliveEveryMs: everyMs, originSilent: true }, nowMs) ?? [], nowMs);
    note(swarm.tick(nowMs), nowMs);
    assertInvariants(swarm);
  }
  return sent;
}

test('who is alone goes on waiting for it', () => {
  assert.deepEqual(silence(['one'], 6 * leaseStallMs), [{ holder: 'one', atMs: 0 }]);
});

test('of several, each gets more time than those before', () => {
  const sent = silence(['one', 'two'], 12 * leaseStallMs);
  const times = sent.map(({ atMs }) => atMs);
  const waits = times.slice(1).map((atMs, index) => Math.round((atMs - (times[index] ?? 0)) / leaseStallMs));
  assert.deepEqual(waits.slice(0, 3), [1, 2, 4]);
  assert.deepEqual([...new Set(sent.map(({ holder }) => holder))].toSorted(), ['one', 'two']);
});
