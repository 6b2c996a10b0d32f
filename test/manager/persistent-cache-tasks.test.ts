/** What the manager's API tells of imported content, and that it can delete it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { UploadPersistentCacheTaskRequest, UploadPersistentTaskRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import { startSwarm } from './support/registered-swarm.ts';

interface KeptTask {
  readonly id: string;
  readonly persistent_replica_count: number;
  readonly current_persistent_replica_count: number;
  readonly state: string;
  readonly tag: string;
  readonly ttl: number;
  readonly content_length: number;
  readonly object: { readonly url: string; readonly region: string; readonly state: string } | null;
  readonly peers: readonly { readonly id: string; readonly persistent: boolean; readonly state: string }[];
}

const path = '/api/v1/persistent-cache-tasks';

describe('persistent cache tasks at the manager', () => {
  test('are listed with their holders, found by id and tag, and deleted everywhere', async () => {
    await using owned = new AsyncDisposableStack();
    const manager = owned.use(await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {}));
    const { swarm, join } = owned.use(await startSwarm(manager, ['a', 'b']));
    await join(manager);
    const root = await rootOf(manager);
    assert.deepEqual(await root.ok('GET', path), []);
    const [daemon] = swarm.daemons;
    assert.ok(daemon);
    const file = swarm.directory.join('file');
    await writeFile(file, 'to stay');
    const ttl = { seconds: 3600, nanos: 0 };
    const request = UploadPersistentCacheTaskRequest.fromPartial({
      path: file,
      persistentReplicaCount: 2,
      ttl,
      tag: 'v7',
    });
    const { id } = await swarm.client(daemon).uploadPersistentCacheTask(request, { timeoutMs: 30_000 });
    const [task, ...more] = await root.ok<KeptTask[]>('GET', `${path}?scheduler_cluster_id=1&page=1&per_page=10`);
    assert.ok(task);
    assert.deepEqual(more, []);
    const { peers, ...facts } = task;
    assert.deepEqual(
      { ...pick(facts) },
      {
        id,
        persistent_replica_count: 2,
        current_persistent_replica_count: 2,
        state: 'Succeeded',
        tag: 'v7',
        ttl: 3600 * 1e9,
        content_length: 7,
        object: null,
      },
    );
    assert.deepEqual(peers.map((peer) => `${peer.id} ${peer.persistent} ${peer.state}`).sort(), [
      '127.0.0.1-a true Succeeded',
      '127.0.0.1-b true Succeeded',
    ]);
    assert.equal((await root.ok<KeptTask[]>('GET', `${path}?search=V7`)).length, 1);
    assert.equal((await root.ok<KeptTask[]>('GET', `${path}?search=other`)).length, 0);
    assert.equal((await root.ok<KeptTask>('GET', `${path}/${id}?scheduler_cluster_id=1`)).id, id);
    assert.equal((await root.request('GET', `${path}?scheduler_cluster_id=9`)).status, 404);
    await root.ok('DELETE', `${path}/${id}?scheduler_cluster_id=1`);
    await eventually(async () => {
      for (const one of swarm.daemons) {
        const { tasks } = await swarm.client(one).listLocalPersistentCacheTasks({});
        assert.equal(tasks.length, 0);
      }
    });
    assert.equal((await root.request('GET', `${path}/${id}`)).status, 404);
    assert.equal((await root.request('DELETE', `${path}/${id}`)).status, 404);
  });

  test('those of object stores say how far they are on their way there, and are deleted the same way', async () => {
    await using owned = new AsyncDisposableStack();
    const manager = owned.use(await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {}));
    const { swarm, join } = owned.use(await startSwarm(manager, ['a']));
    await join(manager);
    const root = await rootOf(manager);
    const [daemon] = swarm.daemons;
    assert.ok(daemon);
    const file = swarm.directory.join('file');
    await writeFile(file, 'to stay');
    const place = { region: 'r', endpoint: 'http://127.0.0.1:9' };
    const request = (write: string): UploadPersistentTaskRequest =>
      UploadPersistentTaskRequest.fromPartial({
        path: file,
        url: `s3://bucket/${write}`,
        objectStorage: place,
        persistentReplicaCount: 1,
        ttl: { seconds: 3600, nanos: 0 },
        write,
      });
    for (const write of ['replicas', 'back'])
      await swarm.client(daemon).uploadPersistentTask(request(write), { timeoutMs: 30_000 });
    const tasks = await root.ok<KeptTask[]>('GET', path);
    const states = tasks.map(({ object }) => `${object?.url} ${object?.state} ${object?.region}`);
    assert.deepEqual(states.sort(), ['s3://bucket/back pending r', 's3://bucket/replicas replicas r']);
    assert.equal((await root.ok<KeptTask[]>('GET', `${path}?search=bucket/back`)).length, 1);
    for (const { id } of tasks) await root.ok('DELETE', `${path}/${id}?scheduler_cluster_id=1`);
    assert.deepEqual(await root.ok('GET', path), []);
    await eventually(async () => {
      const { tasks: left } = await swarm.client(daemon).listLocalPersistentTasks({});
      assert.equal(left.length, 0);
    });
  });
});

function pick(task: Omit<KeptTask, 'peers'>): Omit<KeptTask, 'peers'> {
  const { id, object, persistent_replica_count, current_persistent_replica_count, state, tag, ttl, content_length } =
    task;
  return { id, object, persistent_replica_count, current_persistent_replica_count, state, tag, ttl, content_length };
}
