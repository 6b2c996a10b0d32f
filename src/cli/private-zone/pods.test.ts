import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReady, podSchema, type Pod } from '../kubernetes/pods.ts';
import { chosenAddresses, matches, parseSelector } from './pods.ts';

const pod = (uid: string, podIP: string, fields: object = {}): Pod =>
  podSchema.parse({
    metadata: { name: uid, uid, ...fields },
    status: { podIP, conditions: [{ type: 'Ready', status: 'True' }] },
  });

test('who was chosen stays, others fill the places, and the order is always the same', () => {
  const pods = [pod('c', '10.0.0.3'), pod('a', '10.0.0.1'), pod('b', '10.0.0.2')];
  assert.deepEqual(chosenAddresses(pods, [], 2), ['10.0.0.1', '10.0.0.2']);
  assert.deepEqual(chosenAddresses(pods, ['10.0.0.3', '10.0.0.9'], 2), ['10.0.0.1', '10.0.0.3']);
  assert.deepEqual(chosenAddresses([], ['10.0.0.3'], 2), []);
  assert.deepEqual(chosenAddresses([pod('a', '10.0.0.1'), pod('b', '10.0.0.1')], [], 9), ['10.0.0.1']);
});

test('a pod that is not ready, without an address or on its way out is none', () => {
  assert.equal(isReady(pod('a', '10.0.0.1')), true);
  assert.equal(isReady(pod('a', '')), false);
  assert.equal(isReady(pod('a', '10.0.0.1', { deletionTimestamp: '2026-11-30T00:00:00Z' })), false);
  assert.equal(isReady(podSchema.parse({ metadata: { name: 'a', uid: 'a' } })), false);
});

test('selectors of nodes', () => {
  const selector = parseSelector('pool=p2p,node.kubernetes.io/instance-type');
  assert.equal(matches(selector, { pool: 'p2p', 'node.kubernetes.io/instance-type': 'x' }), true);
  assert.equal(matches(selector, { pool: 'p2p' }), false);
  assert.equal(matches(selector, { pool: 'web', 'node.kubernetes.io/instance-type': 'x' }), false);
  assert.equal(matches(parseSelector(''), {}), true);
});
