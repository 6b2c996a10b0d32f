/** What became of the nodes of a real scheduler, and what they got: told, acknowledged, and not forgotten by restarts. */
// needs: postgres, initdb, mariadbd, mariadb-install-db
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Database } from '../../../src/manager/db/database.ts';
import { trafficKeptMs } from '../../../src/manager/limits.ts';
import { seenAs } from '../../../src/manager/nodes/node.ts';
import { NodeStore } from '../../../src/manager/nodes/node-store.ts';
import { spanMs, TrafficStore, type TrafficSpan } from '../../../src/manager/traffic/traffic-store.ts';
import { HostState } from '../../../gen/scheduler/v2/live.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import type { Concern } from '../../../src/manager/nodes/concerns.ts';
import type { Node } from '../../../src/manager/nodes/node.ts';
import { contentLength, SchedulerFixture } from '../../scheduler/fixture.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { databaseConfig, engineKinds, eventually } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';
import type { RestClient } from '../support/rest-client.ts';

const timeout = 120_000;

test(
  'nodes are told with their state, lost ones are remembered through restarts of scheduler and manager',
  { timeout },
  async () => {
    await using directory = await temporaryDirectory('df-nodes-');
    const database = databaseConfig({ sqlite: { path: join(directory.path, 'manager.db') } });
    let lost: Node;
    let concern: Concern;
    {
      await using manager = await startManager(database);
      const root = await rootOf(manager);
      assert.deepEqual(await root.ok('GET', '/api/v1/nodes'), []);
      await using fixture = await schedulerAt(manager.grpcPort);
      const [stays, goes] = [await held(fixture), await held(fixture)];
      await eventually(async () => assert.equal((await nodesOf(root)).length, 2));
      assert.deepEqual(await root.ok('GET', '/api/v1/concerns'), []);
      assert.equal((await nodesOf(root, 'search=HOST-2'))[0]?.id, goes.host.id);
      assert.deepEqual(await nodesOf(root, 'state=lost'), []);

      const peer = fixture.peer(stays.host).register();
      await peer.expect('needBackToSourceResponse');
      peer.metadata().finished(0b11).finished(0b11_1111_1100).done();
      await eventually(async () => {
        const [step] = await root.ok<{ origin_bytes: number; downloads: number }[]>('GET', '/api/v1/traffic?span=day');
        assert.deepEqual([step?.origin_bytes, step?.downloads], [contentLength, 1]);
      });
      const csv = await root.ok<string>('GET', '/api/v1/traffic/csv?span=hour');
      assert.match(csv, new RegExp(`^time,.*\r\n\\d{4}-.*:00:00\\.000Z,1,${contentLength},0,1\r\n$`));

      goes.end();
      lost = await eventually(async () => {
        const [node] = await nodesOf(root, 'state=lost');
        assert.ok(node);
        return node;
      });
      assert.deepEqual([lost.id, lost.reason, lost.scheduler_cluster_id], [goes.host.id, 'stream', 1]);
      concern = await eventually(async () => {
        const [found] = await root.ok<Concern[]>('GET', '/api/v1/concerns');
        assert.ok(found);
        return found;
      });
      assert.deepEqual([concern.kind, concern.node_id, concern.since_ms], ['node-lost', lost.id, lost.since_ms]);
      assert.match(concern.advice, /systemctl status dfdaemon/);
      await root.ok('POST', '/api/v1/concerns/acknowledge', { ids: [concern.id] });
      const [acknowledged] = await root.ok<Concern[]>('GET', '/api/v1/concerns');
      assert.equal(acknowledged?.acknowledged_by, 'root');
      // What is not remembered yet is written with the next beat of the manager.
      await eventually(async () => {
        const rows = await manager.database.db
          .selectFrom('node')
          .select(['host_id', 'state'])
          .orderBy('host_id')
          .execute();
        assert.deepEqual(
          rows.map((row) => ({ ...row })),
          [
            { host_id: stays.host.id, state: 'online' },
            { host_id: goes.host.id, state: 'lost' },
          ],
        );
      });
      stays.end();
    }
    await using manager = await startManager(database);
    const root = await rootOf(manager);
    const [again] = await nodesOf(root, 'state=lost');
    assert.deepEqual([again?.id, again?.since_ms], [lost.id, lost.since_ms]);
    const { log } = await root.ok<{ log: { state: string }[] }>('GET', `/api/v1/nodes/${lost.id}`);
    assert.deepEqual(
      log.map(({ state }) => state),
      ['lost', 'online'],
    );
    const told = await eventually(async () => {
      const found = (await root.ok<Concern[]>('GET', '/api/v1/concerns')).find(({ id }) => id === concern.id);
      assert.ok(found);
      return found;
    });
    assert.equal(told.acknowledged_by, 'root');

    // A scheduler that knows nothing of before, and the lost one comes back to it.
    await using fixture = await schedulerAt(manager.grpcPort);
    await fixture.host();
    await fixture.host();
    await eventually(async () => {
      assert.deepEqual(await nodesOf(root, 'state=lost'), []);
      assert.equal((await nodesOf(root, 'state=online')).length, 2);
      const concerns = await root.ok<Concern[]>('GET', '/api/v1/concerns');
      assert.ok(concerns.every(({ kind }) => kind !== 'node-lost'));
    });
    await assert.rejects(root.ok('GET', '/api/v1/nodes/nobody'), /404/);
  },
);

test('nodes are for who may see them, by session and by token', { timeout }, async () => {
  await using manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }));
  const root = await rootOf(manager);
  const { token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', {
    name: 'top',
    scopes: ['cluster'],
    expired_at: '2099-01-01T00:00:00Z',
    user_id: 1,
  });
  const status = async (path: string, bearer: string): Promise<number> =>
    (await fetch(`http://127.0.0.1:${manager.restPort}${path}`, { headers: { authorization: `Bearer ${bearer}` } }))
      .status;
  for (const path of ['/oapi/v1/nodes', '/oapi/v1/concerns']) {
    assert.equal(await status(path, token), 200);
    assert.equal(await status(path, 'invented'), 401);
  }
  assert.equal(await status('/api/v1/nodes', token), 401);
});

async function schedulerAt(port: number): Promise<SchedulerFixture> {
  return SchedulerFixture.start(`manager: { addr: "127.0.0.1:${port}", schedulerClusterID: 1 }`, {
    heldHostGraceMs: 50,
  });
}

/** A daemon that is only its stream. */
async function held(fixture: SchedulerFixture): Promise<{ readonly host: Host; readonly end: () => void }> {
  const host = await fixture.host();
  const stream = new AbortController();
  const holding = fixture.client.holdHost({ hostId: host.id }, { signal: stream.signal })[Symbol.asyncIterator]();
  await holding.next();
  return { host, end: () => stream.abort() };
}

function nodesOf(root: RestClient, query = ''): Promise<Node[]> {
  return root.ok<Node[]>('GET', `/api/v1/nodes?${query}`);
}

describe('what is kept of nodes and traffic', { concurrency: true }, () => {
  for (const kind of engineKinds) {
    test(`is written, read and forgotten (${kind.name})`, { skip: kind.missing, timeout }, async () => {
      await using engine = await kind.start();
      await using database = await Database.open(await engine.newDatabase());
      const nodes = new NodeStore(database);
      const node = seenAs(1, [
        HostState.fromPartial({ id: 'h', state: 'online', sinceMs: 5, joinedAtMs: 5, lastWordMs: 7 }),
      ]);
      assert.ok(node);
      const log = [{ state: 'online' as const, reason: '', at_ms: 5 }];
      await nodes.write([{ node, log }]);
      await nodes.write([{ node: { ...node, state: 'lost', since_ms: 9 }, log }]);
      const [read, ...others] = await nodes.read(0);
      assert.deepEqual([read?.node.state, read?.node.since_ms, read?.log, others], ['lost', 9, log, []]);
      await nodes.delete([node]);
      assert.deepEqual(await nodes.read(0), []);

      const traffic = new TrafficStore(database);
      const grown = { clusterId: 1, originBytes: 5, peerBytes: 3e12, downloads: 1 };
      const [day, hour, minute] = [spanMs.day * 20_000, spanMs.hour, spanMs.minute];
      await traffic.add([
        { ...grown, atMs: day },
        { ...grown, atMs: day + 1 },
      ]);
      await traffic.add([
        { ...grown, atMs: day + minute },
        { ...grown, atMs: day + hour, clusterId: 2 },
      ]);
      const all = { fromMs: day, toMs: day + spanMs.day, clusterId: undefined };
      const sums = async (span: TrafficSpan, clusterId?: number): Promise<number[][]> =>
        (await traffic.read({ ...all, span, clusterId })).map(({ atMs, originBytes, peerBytes, downloads }) => [
          atMs - day,
          originBytes,
          peerBytes,
          downloads,
        ]);
      assert.deepEqual(await sums('minute', 1), [
        [0, 10, 6e12, 2],
        [minute, 5, 3e12, 1],
      ]);
      assert.deepEqual(await sums('hour'), [
        [0, 15, 9e12, 3],
        [hour, 5, 3e12, 1],
      ]);
      assert.equal((await sums('day')).length, 2);
      await traffic.prune(day + trafficKeptMs.minute + 1);
      assert.deepEqual(await sums('minute', 1), [[minute, 5, 3e12, 1]]);
      assert.equal((await sums('hour')).length, 2);
    });
  }
});
