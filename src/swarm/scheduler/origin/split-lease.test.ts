/** A second seed takes half of a lease only where half of it can be asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../../shared/decisions.ts';
import { allFeatures } from '../../shared/events.ts';
import { seededRandom } from '../../shared/random.ts';
import { assertInvariants } from '../invariants.ts';
import { Swarm } from '../swarm.ts';

const mib = 2 ** 20;
const layout = { contentLengthBytes: 160 * mib, pieceLengthBytes: 4 * mib };

function register(swarm: Swarm, name: string, nowMs: number): Decision[] {
  const isSeed = name.startsWith('seed');
  const place = { idc: '', location: '', maxTxBitsPerSec: 0, disableShared: false, announceIntervalMs: 60_000 };
  swarm.announceHost({ hostId: name, type: isSeed ? 'seed' : 'normal', ...place }, nowMs);
  const content = { taskId: 'task', url: 'http://origin/object', priority: 6 };
  const origin = { needBackToSource: isSeed, disableBackToSource: false };
  return swarm.registerPeer({ peerId: name, hostId: name, ...content, ...origin, features: allFeatures }, nowMs);
}

function leasesOf(decisions: readonly Decision[]): string[] {
  return decisions.flatMap((one) =>
    one.kind === 'grant-origin-lease' ? [`${one.peerId} ${one.range.first}-${one.range.end}`] : [],
  );
}

for (const [ranges, leases] of [
  [true, ['first 0-20', 'seed 20-40']],
  [undefined, ['first 0-20', 'seed 20-40']],
  [false, []],
] as const)
  test(`where the origin answers ranges: ${String(ranges)}`, () => {
    const swarm = new Swarm({ random: seededRandom(1) });
    register(swarm, 'first', 0);
    swarm.taskMetadata('first', layout, 1, ranges);
    assert.deepEqual(leasesOf(register(swarm, 'seed', 2)), leases);
    assertInvariants(swarm);
  });
