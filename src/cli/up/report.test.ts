import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withNodeNames, type NodeResult } from './download.ts';
import { differences, originCountOf, originSentence, receiptTable, savingSentence } from './report.ts';

const mebibyte = 2 ** 20;
const sha256 = 'a'.repeat(64);

function result(node: string, overrides: Partial<NodeResult> = {}): NodeResult {
  return {
    node,
    taskId: 'task',
    peerId: `id-of-${node}`,
    costMs: 1500,
    contentLengthBytes: 100 * mebibyte,
    sha256,
    bytesFromOrigin: 0,
    originRequests: 0,
    bytesLocal: 0,
    bytesFromNode: new Map(),
    ...overrides,
  };
}

const seed = result('seed-1', { bytesFromOrigin: 100 * mebibyte, originRequests: 1 });
const peer = result('peer-1', {
  bytesFromNode: new Map([
    ['seed-1', 60 * mebibyte],
    ['peer-2', 40 * mebibyte],
  ]),
});

test('the table has a column for every node that gave', () => {
  assert.equal(
    receiptTable([seed, peer], sha256),
    [
      'node    time   origin    seed-1    peer-2  local    sha256',
      'seed-1  1.5s  100 MiB         -         -      -  verified',
      'peer-1  1.5s        -  60.0 MiB  40.0 MiB      -  verified',
    ].join('\n'),
  );
});

test('ids of downloads become the names of their nodes', () => {
  const bytesFromNode = new Map([
    ['id-of-seed-1', 5],
    ['id-of-a-stranger', 7],
  ]);
  const [, named] = withNodeNames([seed, result('peer-2', { bytesFromNode })]);
  assert.deepEqual(
    [...(named?.bytesFromNode ?? [])],
    [
      ['seed-1', 5],
      ['id-of-a-stranger', 7],
    ],
  );
});

test('with many nodes those that gave share a column', () => {
  const names = Array.from({ length: 12 }, (_, index) => `peer-${index + 1}`);
  const many = result('seed-1', { bytesFromNode: new Map(names.map((name) => [name, mebibyte])) });
  const table = receiptTable([many], sha256);
  assert.match(table, /other nodes/);
  assert.match(table, /12\.0 MiB/);
  assert.ok(table.split('\n').every((line) => line.length <= 80));
});

test('counts copies and requests, and calls out what differs', () => {
  const count = originCountOf([seed, peer]);
  assert.equal(originSentence(count, 100 * mebibyte), 'origin sent 1.00 copies in 1 request');
  assert.deepEqual(differences([seed, peer], sha256, count), []);
  assert.equal(originSentence({ bytesSent: 150, requests: 2 }, 100), 'origin sent 1.50 copies in 2 requests');
  assert.equal(savingSentence(count, [seed, peer]), '2 nodes got 100 MiB each, the origin sent 100 MiB: 100 MiB saved');
  const twice = { bytesSent: 200 * mebibyte, requests: 2 };
  assert.equal(differences([seed], sha256, twice).length, 1);
  assert.deepEqual(differences([result('peer-3', { sha256: 'b' })], sha256, count), [
    'peer-3 has other bytes than the origin',
  ]);
});
