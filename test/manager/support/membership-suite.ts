/** Registration, lookup and liveness of members, on any engine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManagerDefinition, SourceType } from '../../../gen/manager/v2/manager.ts';
import type { DatabaseConfig } from '../../../src/manager/config.ts';
import { eventually } from './engines.ts';
import { TestClient } from './grpc-client.ts';
import { startManager } from './manager-fixture.ts';

const scheduler = {
  sourceType: SourceType.SCHEDULER_SOURCE,
  hostname: 'scheduler-0',
  ip: '10.0.0.1',
  port: 8002,
  schedulerClusterId: 1,
  features: [],
  config: new Uint8Array(),
};
const seed = {
  sourceType: SourceType.SEED_PEER_SOURCE,
  hostname: 'seed-0',
  ip: '10.0.0.2',
  type: 'super',
  port: 65_006,
  downloadPort: 65_007,
  seedPeerClusterId: 1,
};
const daemon = {
  sourceType: SourceType.PEER_SOURCE,
  hostname: 'node-7',
  ip: '10.0.0.7',
  version: '1',
  commit: 'c',
  schedulerClusterId: 0,
};
const alive = { sourceType: SourceType.SCHEDULER_SOURCE, hostname: 'scheduler-0', ip: '10.0.0.1', clusterId: 1 };

export function membershipSuite(newDatabase: () => Promise<DatabaseConfig>): void {
  test('a scheduler is listed from its first keepalive until its stream breaks', async () => {
    await using manager = await startManager(await newDatabase());
    using client = new TestClient(ManagerDefinition, manager.grpcPort);
    const registered = await client.call('updateScheduler', scheduler);
    assert.equal(registered.state, 'inactive');
    assert.equal(registered.schedulerCluster?.name, 'cluster-1');
    await assert.rejects(client.call('listSchedulers', daemon), { code: 5 });

    const { stream } = client.stream('keepAlive');
    stream.write(alive);
    const listed = await eventually(() => client.call('listSchedulers', daemon));
    assert.deepEqual(
      listed.schedulers.map(({ hostname, ip, port, state }) => ({ hostname, ip, port, state })),
      [{ hostname: 'scheduler-0', ip: '10.0.0.1', port: 8002, state: 'active' }],
    );
    assert.deepEqual(JSON.parse(Buffer.from(listed.schedulers[0]?.features ?? []).toString()), ['schedule', 'preheat']);

    stream.cancel();
    await eventually(() => assert.rejects(client.call('listSchedulers', daemon), { code: 5 }));
  });

  test('a scheduler that comes back on another port keeps its row', async () => {
    await using manager = await startManager(await newDatabase());
    using client = new TestClient(ManagerDefinition, manager.grpcPort);
    const first = await client.call('updateScheduler', scheduler);
    const second = await client.call('updateScheduler', { ...scheduler, port: 9002, idc: 'idc-1' });
    assert.equal(second.id, first.id);
    assert.equal(second.port, 9002);
    assert.equal(second.idc, 'idc-1');
  });

  test('a seed peer is handed to schedulers and removed by its own call', async () => {
    await using manager = await startManager(await newDatabase());
    using client = new TestClient(ManagerDefinition, manager.grpcPort);
    await client.call('updateScheduler', scheduler);
    await client.call('updateSeedPeer', seed);
    const seen = await client.call('getScheduler', scheduler);
    assert.deepEqual(
      seen.seedPeers.map(({ hostname, port, downloadPort, state }) => ({ hostname, port, downloadPort, state })),
      [{ hostname: 'seed-0', port: 65_006, downloadPort: 65_007, state: 'active' }],
    );
    const fellows = await client.call('listSeedPeers', { ...seed, version: '1', commit: 'c' });
    assert.equal(fellows.seedPeers.length, 1);
    await client.call('deleteSeedPeer', seed);
    assert.deepEqual((await client.call('getScheduler', scheduler)).seedPeers, []);
    await assert.rejects(client.call('deleteSeedPeer', seed), { code: 5 });
  });

  test('keeping alive without having registered is refused', async () => {
    await using manager = await startManager(await newDatabase());
    using client = new TestClient(ManagerDefinition, manager.grpcPort);
    const { stream, ended } = client.stream('keepAlive');
    stream.write(alive);
    assert.equal(((await ended) as { code?: number } | null)?.code, 5);
  });

  test('a member of a replica that is gone becomes inactive after the timeout', async () => {
    const database = await newDatabase();
    await using survivor = await startManager(database, { liveness: { timeout: '4s' } });
    const doomed = await startManager(database, { liveness: { timeout: '4s' } });
    using client = new TestClient(ManagerDefinition, survivor.grpcPort);
    {
      using other = new TestClient(ManagerDefinition, doomed.grpcPort);
      await other.call('updateScheduler', scheduler);
      const { stream, ended } = other.stream('keepAlive');
      stream.write(alive);
      await eventually(() => client.call('listSchedulers', daemon));
      // A replica that shuts down leaves its members to their timeout, as one that is killed does.
      await doomed[Symbol.asyncDispose]();
      await ended;
    }
    assert.equal((await client.call('getScheduler', scheduler)).state, 'active');
    await eventually(() => assert.rejects(client.call('listSchedulers', daemon), { code: 5 }));
  });

  test('a scheduler that changed replicas stays active when its old stream breaks', async () => {
    const database = await newDatabase();
    await using first = await startManager(database);
    await using second = await startManager(database);
    using one = new TestClient(ManagerDefinition, first.grpcPort);
    using two = new TestClient(ManagerDefinition, second.grpcPort);
    await one.call('updateScheduler', scheduler);
    const old = one.stream('keepAlive');
    old.stream.write(alive);
    await eventually(() => one.call('listSchedulers', daemon));
    const fresh = two.stream('keepAlive');
    fresh.stream.write(alive);
    const owner = async (): Promise<string | undefined> =>
      (await first.database.db.selectFrom('scheduler').select('keep_alive_owner').executeTakeFirst())?.keep_alive_owner;
    const before = await owner();
    await eventually(async () => assert.notEqual(await owner(), before));
    old.stream.cancel();
    await old.ended;
    assert.equal((await two.call('getScheduler', scheduler)).state, 'active');
    fresh.stream.cancel();
  });
}
