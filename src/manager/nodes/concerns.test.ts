import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConcernFinder, type Facts } from './concerns.ts';
import type { Node } from './node.ts';

const now = 1_000_000_000;

function node(name: string, fields: Partial<Node> = {}): Node {
  return {
    id: `10.0.0.1-${name}`,
    scheduler_cluster_id: 1,
    host_name: name,
    ip: '10.0.0.1',
    port: 65_000,
    proxy_port: 0,
    type: 'normal',
    idc: '',
    location: '',
    version: '1.2.3',
    platform: 'linux/x64',
    state: 'online',
    reason: '',
    since_ms: now - 1000,
    joined_at_ms: now - 1000,
    last_word_ms: now,
    unreachable: false,
    disk_total: 1000,
    disk_free: 500,
    memory_total: 1000,
    memory_available: 500,
    uploads_running: 0,
    uploads: 0,
    uploads_failed: 0,
    tasks: 0,
    struck_off_until_ms: 0,
    accusers: [],
    ...fields,
  };
}

const scheduler = { clusterId: 1, name: 'scheduler-1', active: true, sinceMs: now };
const facts = (nodes: readonly Node[], more: Partial<Facts> = {}): Facts => ({
  nodes,
  schedulers: [scheduler],
  certificates: [],
  ...more,
});
const kinds = (finder: ConcernFinder, told: Facts, atMs = now): string[] =>
  finder.find(told, atMs).map(({ kind, name }) => `${kind} ${name}`);

test('nothing is said when all is well, nor of who said goodbye', () => {
  assert.deepEqual(kinds(new ConcernFinder(), facts([node('a'), node('b', { state: 'left' })])), []);
});

test('every trouble of a node is told, errors first', () => {
  const troubles = [
    node('lost', { state: 'lost', reason: 'stream', since_ms: now - 5 }),
    node('seed', { state: 'lost', type: 'seed', since_ms: now - 9 }),
    node('hung', { state: 'silent', since_ms: now - 7 }),
    node('liar', { struck_off_until_ms: now + 1, accusers: ['10.0.0.1-a'] }),
    node('nat', { unreachable: true }),
    node('old', { version: '1.2.2' }),
    node('original', { version: 'v2.3.0' }),
    node('disk', { disk_free: 40 }),
    node('memory', { memory_available: 40 }),
    node('a'),
  ];
  assert.deepEqual(kinds(new ConcernFinder(), facts(troubles)).sort(), [
    'disk-full disk',
    'memory-full memory',
    'node-lost lost',
    'node-lost seed',
    'node-old old',
    'node-silent hung',
    'node-struck-off liar',
    'node-unreachable nat',
  ]);
  const [first, second, third, fourth] = new ConcernFinder().find(facts(troubles), now);
  assert.deepEqual(
    [first?.severity, second?.severity, third?.severity, fourth?.severity],
    ['error', 'error', 'error', 'warning'],
  );
  assert.equal(new ConcernFinder().find(facts(troubles), now).find(({ name }) => name === 'hung')?.since_ms, now - 7);
});

test('a figure around its limit does not come and go, and keeps its since', () => {
  const finder = new ConcernFinder();
  assert.deepEqual(kinds(finder, facts([node('a', { disk_free: 60 })])), []);
  const [found] = finder.find(facts([node('a', { disk_free: 50 })]), now);
  const [still] = finder.find(facts([node('a', { disk_free: 60 })]), now + 60_000);
  assert.deepEqual([still?.id, still?.since_ms], [found?.id, now]);
  assert.deepEqual(kinds(finder, facts([node('a', { disk_free: 80 })])), []);
});

test('schedulers and certificates are told of as well', () => {
  const certificate = { subject: 'a', createdAtMs: now - 90, expiresAtMs: now + 10 };
  assert.deepEqual(
    kinds(
      new ConcernFinder(),
      facts([node('a')], { certificates: [certificate, { ...certificate, subject: 'gone' }] }),
    ),
    ['certificate-ending a'],
  );
  assert.deepEqual(
    kinds(new ConcernFinder(), facts([node('a')], { certificates: [{ ...certificate, createdAtMs: now - 10 }] })),
    [],
  );
  assert.deepEqual(kinds(new ConcernFinder(), facts([node('a')], { schedulers: [{ ...scheduler, active: false }] })), [
    'no-scheduler cluster 1',
    'scheduler-inactive scheduler-1',
  ]);
});
