/** Jobs against real schedulers, daemons and origins. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseConfig } from '../../src/core/config/config.ts';
import { taskId } from '../../src/core/ids.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import { startSwarm, type RegisteredSwarm } from './support/registered-swarm.ts';
import type { RestClient } from './support/rest-client.ts';

interface Blob {
  readonly url: string;
  readonly task_id: string;
  readonly state: string;
  readonly verified: boolean;
  readonly finished_bytes: number;
  readonly content_length: number;
  readonly error: string;
}

interface Job {
  readonly id: number;
  readonly state: string;
  readonly args: Record<string, unknown>;
  readonly result: { job_states: { error: string; results: Record<string, unknown>[] }[] } | null;
  readonly progress: {
    total: number;
    succeeded: number;
    failed: number;
    running: number;
    nodes: { host_name: string; blobs: Blob[] }[];
  };
}

const loopbackAllowed = { job: { preheat: { allowCIDRs: ['127.0.0.0/8'] } } };

async function ended(client: RestClient, id: number, prefix = '/api/v1'): Promise<Job> {
  return eventually(async () => {
    const job = await client.ok<Job>('GET', `${prefix}/jobs/${id}`);
    assert.notEqual(job.state, 'PENDING');
    return job;
  }, 30_000);
}

describe('jobs', () => {
  let directory: string;
  let manager: ManagerService;
  let root: RestClient;
  let origin: HttpOrigin;
  let registered: RegisteredSwarm;
  let count = 0;

  const file = (sizeBytes: number, options: object = {}): string => {
    count += 1;
    return origin.add(`/file-${count}`, { content: randomBytes(sizeBytes), ...options });
  };
  const create = (type: string, args: object): Promise<Job> =>
    root.ok('POST', '/api/v1/jobs', { type, args, scheduler_cluster_ids: [1] });

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'manager-jobs-'));
    const database = databaseConfig({ sqlite: { path: join(directory, 'manager.db') } });
    manager = await startManager(database, loopbackAllowed);
    root = await rootOf(manager);
    await root.ok('PATCH', '/api/v1/scheduler-clusters/1', { config: { job_rate_limit: 1_000 } });
    origin = await HttpOrigin.start();
    registered = await startSwarm(manager, ['seed-1', 'seed-2', 'peer-1']);
    await eventually(async () => {
      await create('sync_peers', {});
      assert.equal((await root.ok<unknown[]>('GET', '/api/v1/peers')).length, 3);
    });
  });
  after(async () => {
    await registered[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    await manager[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  test('sync_peers lists the daemons as peers, and removes those that are gone', async () => {
    const peers = await root.ok<{ id: number; host_name: string; type: string; state: string }[]>(
      'GET',
      '/api/v1/peers',
    );
    assert.deepEqual(peers.map(({ host_name: name, type, state }) => `${name} ${type} ${state}`).toSorted(), [
      'peer-1 normal active',
      'seed-1 super active',
      'seed-2 super active',
    ]);
    await root.ok('POST', '/api/v1/peers', {
      host_name: 'gone',
      type: 'normal',
      ip: '10.9.9.9',
      port: 1,
      download_port: 1,
      scheduler_cluster_id: 1,
    });
    assert.equal(await create('sync_peers', {}), 'OK');
    const body = { type: 'sync_peers', args: {}, scheduler_cluster_ids: [1] };
    const { headers } = await root.request('POST', '/api/v1/jobs', body);
    assert.match(headers.get('content-type') ?? '', /json/, 'as consoles read it');
    assert.equal((await root.ok<unknown[]>('GET', '/api/v1/peers')).length, 3);
  });

  test('a file is preheated to one seed, which says itself that it has all of it', async () => {
    const url = file(9_000_000);
    const { id } = await create('preheat', { type: 'file', url });
    const job = await ended(root, id);
    assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
    assert.equal(job.progress.total, 1);
    const [blob] = job.progress.nodes[0]?.blobs ?? [];
    assert.ok(blob);
    assert.deepEqual(
      [blob.state, blob.verified, blob.finished_bytes, blob.content_length, blob.task_id],
      ['SUCCESS', true, 9_000_000, 9_000_000, taskId({ url })],
    );
    assert.match(job.progress.nodes[0]?.host_name ?? '', /^seed-/);
  });

  test('many files to all peers, by count, percentage and address', async () => {
    const urls = [file(1_000), file(2_000)];
    const nodes = async (more: object): Promise<string[]> => {
      const { id } = await create('preheat', { type: 'file', urls, ...more });
      const job = await ended(root, id);
      assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
      assert.equal(job.progress.total, 2 * job.progress.nodes.length);
      return job.progress.nodes.map((node) => node.host_name).toSorted();
    };
    assert.deepEqual(await nodes({ scope: 'all_peers' }), ['peer-1', 'seed-1', 'seed-2']);
    assert.deepEqual(await nodes({ scope: 'all_seed_peers' }), ['seed-1', 'seed-2']);
    assert.equal((await nodes({ scope: 'all_peers', count: 2 })).length, 2);
    assert.equal((await nodes({ scope: 'all_peers', percentage: 34 })).length, 1);
    assert.equal((await nodes({ ips: ['127.0.0.1'] })).length, 3);
  });

  test('a URL that fails makes the job a failure that says why, and a retry does only what failed', async () => {
    const good = file(1_000);
    const path = '/missing';
    origin.add(path, { content: Buffer.alloc(10), status: 404 });
    const { id } = await create('preheat', { type: 'file', urls: [good, origin.url(path)] });
    const job = await ended(root, id);
    assert.equal(job.state, 'FAILURE');
    assert.match(job.result?.job_states[0]?.error ?? '', /1 of 2 failed.*404/);
    const [result] = job.result?.job_states[0]?.results ?? [];
    assert.equal(lengthOf(result, 'success_tasks'), 1);
    assert.equal(lengthOf(result, 'failure_tasks'), 1);
    const asked = origin.requestsFor(new URL(good).pathname).length;
    origin.add(path, { content: randomBytes(500) });
    await root.ok('POST', `/api/v1/jobs/${id}/retry`);
    assert.equal((await ended(root, id)).state, 'SUCCESS');
    assert.equal(origin.requestsFor(new URL(good).pathname).length, asked);
    assert.equal((await root.request('POST', `/api/v1/jobs/${id}/retry`)).status, 412);
  });

  test('a running job is seen to move, and stops when it is cancelled', async () => {
    const url = file(20_000_000, { gated: true });
    const path = new URL(url).pathname;
    origin.release(path, 5_000_000);
    const { id } = await create('preheat', { type: 'file', url });
    await eventually(async () => {
      const { progress } = await root.ok<Job>('GET', `/api/v1/jobs/${id}`);
      assert.ok((progress.nodes[0]?.blobs[0]?.finished_bytes ?? 0) > 0);
    });
    await root.ok('POST', `/api/v1/jobs/${id}/cancel`);
    assert.equal((await ended(root, id)).state, 'CANCELLED');
    assert.equal((await root.request('POST', `/api/v1/jobs/${id}/cancel`)).status, 412);
    origin.release(path, Infinity);
  });

  test('get_task finds who has a task, delete_task takes it away', async () => {
    const url = file(3_000_000);
    const preheated = await create('preheat', { type: 'file', url, scope: 'all_seed_peers' });
    assert.equal((await ended(root, preheated.id)).state, 'SUCCESS');
    const holders = async (args: object): Promise<string[]> => {
      const job = await ended(root, (await create('get_task', args)).id);
      const peers = job.result?.job_states[0]?.results[0]?.['peers'] as { hostname: string }[];
      return peers.map(({ hostname }) => hostname).toSorted();
    };
    assert.deepEqual(await holders({ url }), ['seed-1', 'seed-2']);
    assert.deepEqual(await holders({ task_id: taskId({ url }) }), ['seed-1', 'seed-2']);
    const job = await ended(root, (await create('delete_task', { url })).id);
    assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
    assert.equal(lengthOf(job.result?.job_states[0]?.results[0], 'success_tasks'), 2);
    assert.deepEqual(await holders({ url }), []);
  });

  test('get_task and delete_task give one state for each scheduler, of what nobody has too', async () => {
    await using second = await SchedulerService.create(
      parseConfig(
        schedulerConfigSchema,
        `server: { listenIP: 127.0.0.1, port: 0, host: scheduler-2, cacheDir: ${directory}/scheduler-2 }
manager: { addr: "127.0.0.1:${manager.grpcPort}", keepAlive: { interval: 100ms } }`,
        'scheduler.yaml',
      ).config,
    );
    await second.start();
    const unknown = 'f'.repeat(64);
    for (const [type, empty] of [
      ['get_task', { peers: [] }],
      ['delete_task', { success_tasks: [], failure_tasks: [] }],
    ] as const) {
      const job = await ended(root, (await create(type, { task_id: unknown })).id);
      assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
      const results = job.result?.job_states.map((state) => state.results);
      const entry = [{ scheduler_cluster_id: 1, ...empty }];
      assert.deepEqual(results, [entry, entry], type);
    }
  });

  test('gc deletes what is older than it is kept and answers with the job', async () => {
    const [settings] = await root.ok<{ id: number }[]>('GET', '/api/v1/configs?name=gc');
    assert(settings, 'a new manager has them, for consoles to show');
    await root.ok('PATCH', `/api/v1/configs/${settings.id}`, {
      value: JSON.stringify({ audit: { ttl: 1 }, job: { ttl: 1 } }),
    });
    const job = await create('gc', { type: 'audit' });
    assert.equal(job.state, 'SUCCESS');
    assert.ok((job.result as unknown as { purged: number }).purged > 0);
    await root.ok(
      'DELETE',
      `/api/v1/configs/${(await root.ok<{ id: number }[]>('GET', '/api/v1/configs?name=gc'))[0]?.id ?? 0}`,
    );
  });

  test('M-2 what is secret in a job is in no answer and not in the clear in the database', async () => {
    const url = `${file(100)}?X-Amz-Signature=sig-in-url`;
    const { id } = await create('preheat', {
      type: 'file',
      url,
      headers: { Authorization: 'Bearer header-secret' },
      username: 'u',
      password: 'password-secret',
    });
    const job = await ended(root, id);
    const rows = await manager.database.db.selectFrom('job').selectAll().where('id', '=', id).execute();
    const units = await manager.database.db.selectFrom('job_task').selectAll().where('job_id', '=', id).execute();
    const texts = JSON.stringify([job, await root.ok('GET', '/api/v1/jobs'), rows, units]);
    for (const secret of ['header-secret', 'password-secret', 'sig-in-url']) assert.ok(!texts.includes(secret), secret);
    assert.deepEqual(job.args['headers'], { Authorization: '***' });
  });

  test('DF2-2 a manifest is not fetched from addresses that are no registries, nor through a redirect to one', async () => {
    const redirect = async (location: string): Promise<string> => {
      const server = await redirecting(location);
      after(() => server.close());
      return `${server.url}/v2/a/manifests/latest`;
    };
    const refused = [
      'http://169.254.169.254/v2/a/manifests/latest',
      'http://[fe80::1]/v2/a/manifests/latest',
      'http://0.0.0.0/v2/a/manifests/latest',
      `http://127.0.0.1:${manager.restPort}/v2/a/manifests/latest`,
      `http://localhost:${manager.grpcPort}/v2/a/manifests/latest`,
      await redirect('http://169.254.169.254/latest/meta-data'),
      await redirect(`http://127.0.0.1:${manager.restPort}/metrics`),
    ];
    for (const url of refused) {
      const job = await ended(root, (await create('preheat', { type: 'image', url })).id);
      assert.equal(job.state, 'FAILURE');
      assert.match(job.result?.job_states[0]?.error ?? '', /is refused/, url);
    }
  });

  test('a cluster takes as many jobs per second as it is configured for', async () => {
    const { id: clusterId } = await root.ok<{ id: number }>('POST', '/api/v1/clusters', {
      name: 'limited',
      scheduler_cluster_config: { job_rate_limit: 2 },
      seed_peer_cluster_config: {},
      peer_cluster_config: {},
    });
    const statuses: number[] = [];
    for (let index = 0; index < 6; index += 1) {
      const answer = await root.request('POST', '/api/v1/jobs', {
        type: 'get_task',
        args: { task_id: 'a'.repeat(64) },
        scheduler_cluster_ids: [clusterId],
      });
      statuses.push(answer.status);
    }
    assert.deepEqual(statuses.slice(0, 2), [200, 200]);
    assert.ok(statuses.includes(429));
    const unknown = await root.request('POST', '/api/v1/jobs', {
      type: 'get_task',
      args: { task_id: 'a'.repeat(64) },
      scheduler_cluster_ids: [99],
    });
    assert.equal(unknown.status, 404);
    await root.ok('DELETE', `/api/v1/clusters/${clusterId}`);
  });

  test('arguments that do not fit the type are refused', async () => {
    const status = async (type: string, args: object): Promise<number> =>
      (await root.request('POST', '/api/v1/jobs', { type, args, scheduler_cluster_ids: [1] })).status;
    assert.equal(await status('preheat', { type: 'image' }), 400);
    assert.equal(await status('preheat', { type: 'file', url: 'x' }), 400);
    assert.equal(await status('preheat', { type: 'file', url: 'http://a/', piece_length: 5 }), 400);
    assert.equal(await status('preheat', { type: 'file', url: 'http://a/', headers: { a: 'b\r\nc: d' } }), 400);
    assert.equal(await status('get_task', {}), 400);
    assert.equal(await status('nonsense', {}), 422);
  });

  test('a job goes on at another replica when its own shuts down', async () => {
    const database = databaseConfig({ sqlite: { path: join(directory, 'replicas.db') } });
    await using first = await startManager(database, loopbackAllowed);
    await using own = await startSwarm(first, ['seed-9']);
    const url = file(8_000_000, { gated: true });
    const path = new URL(url).pathname;
    origin.release(path, 1_000_000);
    const client = await rootOf(first);
    const { id } = await client.ok<Job>('POST', '/api/v1/jobs', { type: 'preheat', args: { type: 'file', url } });
    await eventually(async () => {
      const { progress } = await client.ok<Job>('GET', `/api/v1/jobs/${id}`);
      assert.equal(progress.running, 1);
    });
    await using second = await startManager(database, loopbackAllowed);
    await own.join(second);
    await first[Symbol.asyncDispose]();
    origin.release(path, Infinity);
    const job = await ended(await rootOf(second), id);
    assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
    assert.equal(job.progress.total, 1);
  });
});

function lengthOf(result: Record<string, unknown> | undefined, name: string): number {
  return (result?.[name] as unknown[] | undefined)?.length ?? 0;
}

async function redirecting(location: string): Promise<{ url: string; close: () => void }> {
  const server = createServer((_request, response) => response.writeHead(302, { location }).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
