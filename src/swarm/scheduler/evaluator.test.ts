import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EvaluatorName, evaluators, loadScore, locationScore } from './evaluator.ts';
import { allFeatures, type HostInfo } from '../shared/events.ts';
import { seededRandom } from '../shared/random.ts';
import type { Peer } from './records.ts';
import { Swarm } from './swarm.ts';

const mebibyte = 2 ** 20;

function host(hostId: string, more: Partial<HostInfo> = {}): HostInfo {
  return {
    hostId,
    type: 'normal',
    idc: 'a',
    location: 'x|y|z',
    loadLimit: 10,
    maxTxBitsPerSec: 1e10,
    disableShared: false,
    announceIntervalMs: 30_000,
    ...more,
  };
}

/** A parent with 6 of 10 pieces at the origin, one child of ten slots, and 3 of 8 uploads failed. */
function pair(): { parent: Peer; child: Peer } {
  const swarm = new Swarm({ random: seededRandom(1) });
  const register = (peerId: string, hostId: string): void => {
    const knownLayout = { contentLengthBytes: 40 * mebibyte, pieceLengthBytes: 4 * mebibyte };
    swarm.registerPeer(
      {
        peerId,
        taskId: 't',
        hostId,
        url: 'http://o/',
        priority: 3,
        needBackToSource: false,
        disableBackToSource: false,
        knownLayout,
        features: allFeatures,
      },
      0,
    );
  };
  swarm.announceHost(host('parent'), 0);
  swarm.announceHost(host('child', { location: 'x|y|w', idc: 'A' }), 0);
  register('p', 'parent');
  register('c', 'child');
  swarm.piecesFinished('p', { pieces: [0, 1, 2, 3, 4, 5], from: 'source' }, 0);
  swarm.piecesFinished('c', { pieces: [0], from: 'p' }, 0);
  const [parent, child] = [swarm.peer('p'), swarm.peer('c')];
  assert(parent && child && parent.host.slotsUsed === 1);
  parent.host.uploads = 8;
  parent.host.uploadsFailed = 3;
  return { parent, child };
}

test('the formulas of the original give the values computed by hand', () => {
  const { parent, child } = pair();
  const expected: readonly (readonly [EvaluatorName, number])[] = [
    // pieces 6/10, free 9/10, normal host 0.5, same idc 1, location 2/5
    ['v2.0.2', 0.3 * 0.6 + 0.2 * 0.9 + 0.2 * 0.5 + 0.15 + 0.05 * 0.4],
    // and upload success 5/8
    ['v2.1.28', 0.2 * 0.6 + 0.2 * 0.625 + 0.15 * 0.9 + 0.15 * 0.5 + 0.15 + 0.15 * 0.4],
    // one child: 4 MiB × 8 × 8 = 268.4 Mbit of 10 Gbit; 40 MiB in 60 s; 8 of 74.5 places
    [
      'v2.5',
      0.6 * (0.5 * (1 - 268_435_456 / 1e10) + 0.3 * (1 - (41_943_040 * 8) / 1e10 / 60) + 0.2) +
        0.2 +
        0.1 * 0.4 +
        0.1 * 0.5,
    ],
  ];
  for (const [name, value] of expected)
    assert(
      Math.abs(evaluators[name](child, parent) - value) < 1e-9,
      `${name}: ${evaluators[name](child, parent)} is not ${value}`,
    );
});

test('places agree as far as their elements do, and an unannounced line has no load score', () => {
  const { parent, child } = pair();
  assert.equal(locationScore(parent.host, child.host), 0.4);
  assert.equal(locationScore(parent.host, parent.host), 1);
  parent.host.info = host('parent', { location: '', maxTxBitsPerSec: 0 });
  assert.equal(locationScore(parent.host, child.host), 0);
  assert.equal(loadScore(parent.host), 0);
});
