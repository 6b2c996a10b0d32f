import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Download } from '../../gen/common/v2/common.ts';
import { TaskFactsTable } from './task-facts.ts';

const full = { code: 'RESOURCE_EXHAUSTED' };
const download = Download.fromPartial({ url: 'http://origin/x' });

test('what is known is bounded in bytes, by caller and in sum, and what is forgotten makes room', () => {
  let peers = 0;
  const facts = new TaskFactsTable({ totalBytes: 1_000_000, peers: () => peers, peersFrom: () => 0 });
  const announce = (caller: string): number => {
    for (let count = 0; ; count += 1) {
      try {
        facts.admit(`${caller} ${count}`, download, caller)();
      } catch (error) {
        assert.equal((error as { code: string }).code, full.code);
        return count;
      }
    }
  };
  const first = announce('stranger');
  assert.ok(first > 50 && first < 200, `${first} tasks`);
  assert.ok(announce('stranger') === 0 || facts.get('stranger 0'), 'what is known stays known');
  const others = announce('node-1') + announce('node-2');
  assert.ok(Math.abs(others - first) <= 3, 'the other half is for others');
  facts.keepOnly((taskId) => !taskId.startsWith('stranger'));
  peers = 450;
  assert.throws(() => facts.admit('another', download, 'node-3'), full, 'peers count, too');
  peers = 0;
  facts.admit('another', download, 'node-3')();
});

test('long texts cost what they are', () => {
  const facts = new TaskFactsTable({ totalBytes: 1_000_000, peers: () => 0, peersFrom: () => 0 });
  const long = Download.fromPartial({ url: `http://origin/${'x'.repeat(200_000)}` });
  assert.throws(() => facts.admit('long', long, 'node'), full);
});

test('peers of tasks that others have brought count for whoever has them', () => {
  const peers = new Map([
    ['stranger', 0],
    ['node', 0],
  ]);
  const facts = new TaskFactsTable({
    totalBytes: 1_000_000,
    peers: () => [...peers.values()].reduce((sum, count) => sum + count, 0),
    peersFrom: (address) => peers.get(address) ?? 0,
  });
  facts.admit('task', download, 'node')();
  const join = (caller: string): void => {
    facts.admit('task', download, caller)();
    peers.set(caller, (peers.get(caller) ?? 0) + 1);
  };
  assert.throws(() => {
    for (;;) join('stranger');
  }, full);
  assert.ok((peers.get('stranger') ?? 0) <= 250, 'half of it');
  for (let count = 0; count < 100; count += 1) join('node');
});

test('the list of a bundle counts for whoever brings it, also when the task is known without it', () => {
  const facts = new TaskFactsTable({ totalBytes: 1_000_000, peers: () => 0, peersFrom: () => 0 });
  const bring = (task: string, caller: string, bytes: number): void =>
    facts.admit(task, { ...download, bundle: Buffer.alloc(bytes) }, caller)();
  for (const task of ['a', 'b', 'c', 'd']) facts.admit(task, download, 'holder')();
  bring('a', 'node', 60_000);
  bring('b', 'node', 60_000);
  assert.equal(facts.get('b')?.download.bundle?.length, 60_000);
  assert.throws(() => bring('c', 'node', 60_000), full);
  assert.equal(facts.get('c')?.download.bundle, undefined);
  bring('a', 'other', 160_000); // it is known: the first stays
  assert.equal(facts.get('a')?.download.bundle?.length, 60_000);
  bring('c', 'other', 60_000);
  facts.keepOnly((task) => task === 'd');
  bring('d', 'node', 60_000);
});
