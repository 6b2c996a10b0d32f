// needs: redis-server
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { taskId as taskIdOf } from '../../src/core/ids.ts';
import { RedisServer } from '../support/redis-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { SchedulerFixture, url } from './fixture.ts';
import { startDaemon } from './preheated-daemon.ts';
import { TestManager } from './test-manager.ts';

const timeout = 120_000;
const password = 'p@ss:word/1';
const list = 'scheduler_1_scheduler-1_127.0.0.1';

interface State {
  readonly TaskUUID: string;
  readonly TaskName: string;
  readonly State: string;
  readonly Results: readonly { readonly Type: string; readonly Value: string }[] | null;
  readonly Error: string;
  readonly CreatedAt: string;
  readonly TTL: number;
}

/** A manager of the original as far as a scheduler notices: its gRPC side, and its jobs in Redis. */
class Original implements AsyncDisposable {
  readonly manager = new TestManager();
  readonly redis: RedisServer;
  readonly #queues;
  readonly #results;

  private constructor(redis: RedisServer, queues: Client, results: Client) {
    this.redis = redis;
    this.#queues = queues;
    this.#results = results;
  }

  static async start(): Promise<Original> {
    const redis = await RedisServer.start({ password });
    const original = new Original(redis, await redis.client(1, password), await redis.client(2, password));
    await original.manager.server.start();
    return original;
  }

  get yaml(): string {
    const redis = `{ addrs: ["${this.redis.address}"], password: "${password}" }`;
    return `manager: { addr: "${this.manager.server.address}", keepAlive: { interval: 50ms } }\ndatabase: { redis: ${redis} }`;
  }

  get features(): readonly string[] | undefined {
    return this.manager.registrations.at(-1)?.features;
  }

  /** As the manager leaves it: what it says, and the pending state. */
  async send(name: string, request?: object, id = `task_${randomUUID()}`): Promise<string> {
    const args = request && [{ Name: '', Type: 'string', Value: JSON.stringify(request) }];
    const pending = { TaskUUID: id, TaskName: name, State: 'PENDING', CreatedAt: '2026-01-02T03:04:05.678901234Z' };
    await this.#results.set(id, JSON.stringify({ ...pending, Results: null, Error: '', TTL: 0 }));
    const signature = { UUID: id, Name: name, RoutingKey: list, ETA: null, GroupUUID: 'group_1', Args: args ?? null };
    await this.#queues.rPush(list, JSON.stringify(signature));
    return id;
  }

  async state(id: string): Promise<State> {
    return JSON.parse((await this.#results.get(id)) ?? '{}') as State;
  }

  waiting(): Promise<string[]> {
    return this.#queues.lRange(list, 0, -1);
  }

  async run(name: string, request?: object): Promise<State> {
    const id = await this.send(name, request);
    await waitFor(`the end of ${name}`, async () => ['SUCCESS', 'FAILURE'].includes((await this.state(id)).State));
    return this.state(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#queues.destroy();
    this.#results.destroy();
    await this.manager.server[Symbol.asyncDispose]();
    await this.redis[Symbol.asyncDispose]();
  }
}

type Client = Awaited<ReturnType<RedisServer['client']>>;

function resultOf(state: State): unknown {
  assert.equal(state.State, 'SUCCESS', state.Error);
  assert.equal(state.Results?.[0]?.Type, 'string');
  return JSON.parse(state.Results[0].Value);
}

/** Zero values as Go writes them. */
const preheat = (fields: object) => ({
  url: '',
  urls: [url],
  pieceLength: null,
  tag: '',
  filtered_query_params: '',
  headers: null,
  application: '',
  priority: 0,
  scope: 'single_seed_peer',
  ips: null,
  percentage: null,
  count: null,
  concurrent_task_count: 8,
  concurrent_peer_count: 500,
  certificate_chain: null,
  insecure_skip_verify: false,
  timeout: 3.6e12,
  object_storage: null,
  hdfs: null,
  output_path: null,
  ...fields,
});

void describe('the job queue of a manager of the original', () => {
  void it('is served: preheat, get_task, delete_task, sync_peers', { timeout }, async () => {
    await using original = await Original.start();
    await using fixture = await SchedulerFixture.start(original.yaml);
    await waitFor('preheats to be announced', () => original.features?.includes('preheat') === true);
    const seed = await startDaemon(fixture, { seed: true });
    const peer = await startDaemon(fixture);
    const id = taskIdOf({ url });

    const preheated = await original.run('preheat', preheat({ headers: { authorization: 'Bearer x' } }));
    assert.equal(preheated.TaskName, 'preheat');
    assert.equal(preheated.CreatedAt, '2026-01-02T03:04:05.678901234Z');
    assert.deepEqual(resultOf(preheated), {
      success_tasks: [{ url, hostname: seed.host.hostname, ip: '127.0.0.1' }],
      failure_tasks: [],
      scheduler_cluster_id: 1,
    });
    assert.deepEqual({ ...seed.asked[0]?.download?.requestHeader }, { authorization: 'Bearer x' });
    assert.equal(peer.asked.length, 0);
    resultOf(await original.run('preheat', preheat({ scope: 'all_peers' })));
    assert.equal(peer.asked.length, 1);

    const found = resultOf(
      await original.run('get_task', { task_id: id, timeout: 3.6e12, concurrent_peer_count: 500 }),
    );
    const { peers } = found as { peers: { id: string; host_type: string; IsFinished: boolean }[] };
    assert.deepEqual(
      new Set(peers.map((holder) => `${holder.id} ${holder.host_type} ${holder.IsFinished}`)),
      new Set([`${seed.host.id} super true`, `${peer.host.id} normal true`]),
    );

    assert.deepEqual(resultOf(await original.run('delete_task', { task_id: id, timeout: 3.6e12 })), {
      success_tasks: [
        { hostname: seed.host.hostname, ip: '127.0.0.1', host_type: 'super' },
        { hostname: peer.host.hostname, ip: '127.0.0.1', host_type: 'normal' },
      ],
      failure_tasks: [],
      scheduler_cluster_id: 1,
    });
    assert.equal(seed.held.size + peer.held.size, 0);
    const none = { success_tasks: [], failure_tasks: [], scheduler_cluster_id: 1 };
    assert.deepEqual(resultOf(await original.run('delete_task', { task_id: id, timeout: 0 })), none);

    const hosts = resultOf(await original.run('sync_peers')) as {
      ID: string;
      Port: number;
      SchedulerClusterID: number;
    }[];
    assert.deepEqual(
      hosts.map((host) => [host.ID, host.Port, host.SchedulerClusterID]),
      [seed.host, peer.host].map(({ id: hostId, port }) => [hostId, port, 1]),
    );
  });

  void it('tells what failed and why, and goes on', { timeout }, async () => {
    await using original = await Original.start();
    await using fixture = await SchedulerFixture.start(original.yaml);
    const alone = await original.run('preheat', preheat({}));
    assert.deepEqual([alone.State, alone.Error], ['FAILURE', 'no seed peer is announced']);
    await startDaemon(fixture, { seed: true, fails: true });
    const failed = await original.run('preheat', preheat({}));
    assert.match(failed.Error, /the disk is full/);
    assert.equal((await original.run('preheat', preheat({ output_path: '/etc/passwd' }))).State, 'FAILURE');
    assert.match((await original.run('mine_bitcoin', {})).Error, /knows no job mine_bitcoin/);
    assert.equal((await original.run('get_task', { task_id: 7 })).State, 'FAILURE');
  });

  void it('keeps what is under way for the next scheduler', { timeout }, async () => {
    await using original = await Original.start();
    const id = await (async () => {
      await using fixture = await SchedulerFixture.start(original.yaml);
      const stuck = await startDaemon(fixture, { seed: true, holds: true });
      const begun = await original.send('preheat', preheat({}));
      await waitFor('the seed to be asked', () => stuck.asked.length === 1);
      assert.equal((await original.state(begun)).State, 'STARTED');
      await fixture.scheduler[Symbol.asyncDispose]();
      return begun;
    })();
    assert.equal((await original.waiting()).length, 1);
    await using fixture = await SchedulerFixture.start(original.yaml);
    await waitFor('an end', async () => (await original.state(id)).State === 'FAILURE');
    assert.equal((await original.state(id)).Error, 'no seed peer is announced');
    assert.deepEqual(await original.waiting(), []);
    assert.ok(fixture.scheduler.port > 0);
  });

  void it('is announced when Redis answers, and outlives a restart of it', { timeout }, async () => {
    await using original = await Original.start();
    const { port } = original.redis;
    await original.redis[Symbol.asyncDispose]();
    await using fixture = await SchedulerFixture.start(original.yaml);
    assert.deepEqual(original.features, ['schedule']);
    for (let start = 0; start < 2; start += 1) {
      await using redis = await RedisServer.start({ port, password });
      await waitFor('preheats to be announced', () => original.features?.includes('preheat') === true);
      assert.deepEqual(resultOf(await original.run('sync_peers')), [], redis.address);
    }
    assert.ok(fixture.scheduler.port > 0);
  });
});
