import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostState } from '../../../gen/scheduler/v2/live.ts';
import { goneNodeKeptMs } from '../limits.ts';
import { seenAs, type Node } from './node.ts';
import { NodeRecords } from './node-records.ts';

function seen(...sightings: Parameters<typeof HostState.fromPartial>[0][]): Node {
  const node = seenAs(
    1,
    sightings.map((fields) =>
      HostState.fromPartial({ id: 'h', state: 'online', sinceMs: 100, joinedAtMs: 100, ...fields }),
    ),
  );
  assert.ok(node);
  return node;
}

test('nobody sees more of a host than there is: one scheduler that hears it is enough', () => {
  const node = seen({ state: 'lost', sinceMs: 900, uploads: 2 }, { state: 'online', sinceMs: 200, uploads: 3 });
  assert.deepEqual([node.state, node.since_ms, node.uploads], ['online', 200, 5]);
  assert.equal(seen({ state: 'lost' }, { state: 'silent' }).state, 'silent');
});

test('a node that is lost stays known with its states, is written once, and is forgotten after a day', () => {
  const records = new NodeRecords();
  assert.equal(records.seen(seen({})), true);
  assert.equal(records.seen(seen({})), false);
  assert.equal(records.takeUnwritten().length, 1);
  records.seen(seen({ diskFree: 5 }));
  assert.equal(records.takeUnwritten().length, 0, 'figures are not kept');
  records.seen(seen({ state: 'lost', reason: 'stream', sinceMs: 500 }));
  const [written] = records.takeUnwritten();
  assert.deepEqual(written?.log, [
    { state: 'lost', reason: 'stream', at_ms: 500 },
    { state: 'online', reason: '', at_ms: 100 },
  ]);
  assert.deepEqual(
    records.forget(600, () => true),
    [],
  );
  assert.equal(records.forget(501 + goneNodeKeptMs, () => true).length, 1);
  assert.equal(records.get('1 h'), undefined);
});

test('a scheduler that started anew changes nothing for who comes back, and loses who does not', () => {
  const records = new NodeRecords();
  records.seen(seen({}));
  records.lastWord('1 h', 800);
  records.seen(seen({ sinceMs: 900, joinedAtMs: 900, lastWordMs: 900 }));
  assert.deepEqual([records.get('1 h')?.node.since_ms, records.get('1 h')?.node.joined_at_ms], [100, 100]);
  records.lastWord('1 h', 950);
  assert.deepEqual([records.vanished('1 h')?.state, records.get('1 h')?.node.since_ms], ['lost', 950]);
  assert.equal(records.vanished('1 h'), undefined);
  records.seen(seen({ sinceMs: 990, joinedAtMs: 990 }));
  assert.equal(records.get('1 h')?.node.since_ms, 990);
});
