/** What clients of the original send: the bodies of its end-to-end tests, and every call of its console as a page of it makes them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { taskId } from '../../src/core/ids.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, rootPassword, startManager } from './support/manager-fixture.ts';
import { startSwarm, type RegisteredSwarm } from './support/registered-swarm.ts';
import { RestClient, type Answer } from './support/rest-client.ts';

interface Job {
  readonly id: number;
  readonly state: string;
  readonly result: {
    readonly purged?: number;
    readonly job_states: readonly { readonly results: readonly Record<string, readonly object[]>[] }[];
  } | null;
}

interface Row {
  readonly id: number;
}

/** As many as its console asks for where it shows all. */
const all = 'page=1&per_page=10000000';

describe('clients of the original', () => {
  let manager: ManagerService;
  let registered: RegisteredSwarm;
  let origin: HttpOrigin;
  let count = 0;

  before(async () => {
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {
      job: { preheat: { allowCIDRs: ['127.0.0.0/8'] } },
      auth: { signUp: true },
    });
    origin = await HttpOrigin.start();
    registered = await startSwarm(manager, ['seed-1', 'seed-2', 'peer-1']);
    // More come in one second than anybody's clicks.
    const root = await rootOf(manager);
    await root.ok('PATCH', '/api/v1/scheduler-clusters/1', { config: { job_rate_limit: 1_000 } });
  });
  after(async () => {
    await registered[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    await manager[Symbol.asyncDispose]();
  });

  function file(): string {
    count += 1;
    return origin.add(`/file-${count}`, { content: randomBytes(300_000) });
  }

  async function ended(client: RestClient, prefix: string, id: number): Promise<Job> {
    return eventually(async () => {
      const job = await client.ok<Job>('GET', `${prefix}/jobs/${id}`);
      assert.notEqual(job.state, 'PENDING');
      return job;
    }, 60_000);
  }

  function told(job: Job, name: string): number {
    return job.result?.job_states.flatMap(({ results }) => results.flatMap((entry) => entry[name] ?? [])).length ?? 0;
  }

  describe('its end-to-end tests, whose bodies have every field, empty where nothing is meant', () => {
    const nothing = { bio: '', user_id: 0 };
    const preheatArgs = {
      url: '',
      urls: null,
      piece_length: null,
      tag: '',
      application: '',
      filtered_query_params: '',
      headers: null,
      username: '',
      password: '',
      platform: '',
      scope: '',
      ips: null,
      percentage: null,
      count: null,
      concurrent_task_count: 0,
      concurrent_peer_count: 0,
      timeout: 0,
      object_storage: null,
      hdfs: null,
    };
    const taskArgs = {
      task_id: '',
      url: '',
      piece_length: null,
      tag: '',
      application: '',
      filtered_query_params: '',
      content_for_calculating_task_id: null,
      timeout: 0,
    };
    let client: RestClient;

    before(async () => {
      const root = await rootOf(manager);
      const body = { name: 'e2e', scopes: ['job'], expired_at: '2099-01-01T00:00:00Z' };
      const { token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', body);
      client = new RestClient(manager.restPort, { authorization: `Bearer ${token}` });
    });

    async function run(body: object): Promise<Job> {
      const { id } = await client.ok<Row>('POST', '/oapi/v1/jobs', body);
      return ended(client, '/oapi/v1', id);
    }

    test('preheat, get_task, delete_task', async () => {
      const url = file();
      const task_id = taskId({ url });
      for (const scheduler_cluster_ids of [null, [1]]) {
        const args = { ...preheatArgs, type: 'file', urls: [url] };
        const job = await run({ ...nothing, type: 'preheat', args, scheduler_cluster_ids });
        assert.equal(job.state, 'SUCCESS');
      }
      const ask = (type: string): Promise<Job> => {
        const extra = type === 'get_task' ? { concurrent_peer_count: 0 } : {};
        const args = { ...taskArgs, ...extra, task_id };
        return run({ ...nothing, type, args, scheduler_cluster_ids: null });
      };
      const found = await ask('get_task');
      assert.equal(found.state, 'SUCCESS');
      assert.ok(told(found, 'peers') > 0);
      const deleted = await ask('delete_task');
      assert.equal(deleted.state, 'SUCCESS');
      assert.equal(told(deleted, 'failure_tasks'), 0);
      assert.ok(told(deleted, 'success_tasks') > 0);
      assert.equal(told(await ask('get_task'), 'peers'), 0);
    });
  });

  describe('its console, which names a content type always and reads the session out of a cookie', () => {
    const cookies = new Map<string, string>();
    let browser: RestClient;

    before(async () => {
      const answer = await new RestClient(manager.restPort).request('POST', '/api/v1/users/signin', {
        name: 'root',
        password: rootPassword,
      });
      assert.equal(answer.status, 200);
      for (const cookie of answer.headers.getSetCookie()) {
        const [name = '', value = ''] = cookie.split(';')[0]?.split('=') ?? [];
        cookies.set(name, value);
        if (name === 'jwt') assert.doesNotMatch(cookie, /httponly/i, 'its pages read who is signed in');
      }
      browser = new RestClient(manager.restPort, {
        'content-type': 'application/json',
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        origin: `http://127.0.0.1:${manager.restPort}`,
        'sec-fetch-site': 'same-origin',
        'sec-fetch-mode': 'cors',
      });
    });

    async function job(body: object): Promise<Job> {
      const { id } = await browser.ok<Row>('POST', '/api/v1/jobs', body);
      return ended(browser, '/api/v1', id);
    }

    function lastPage({ headers }: Answer): number {
      return Number(/[?&]page=(\d+)[^>]*>; *rel="?last/.exec(headers.get('link') ?? '')?.[1]);
    }

    test('who is signed in', () => {
      const payload = cookies.get('jwt')?.split('.')[1] ?? '';
      assert.equal((JSON.parse(Buffer.from(payload, 'base64url').toString()) as Row).id, 1);
    });

    test('users and their roles', async () => {
      const fresh = {
        name: 'somebody',
        password: 'Somebody-1',
        email: 'a@example.com',
        phone: '',
        location: '',
        bio: '',
      };
      const { id } = await browser.ok<Row>('POST', '/api/v1/users/signup', fresh);
      assert.ok((await browser.ok<Row[]>('GET', `/api/v1/users?${all}`)).some((user) => user.id === id));
      await browser.ok('PATCH', `/api/v1/users/${id}`, { bio: 'b', email: 'b@example.com', location: '', phone: '' });
      await browser.ok('PUT', `/api/v1/users/${id}/roles/root`);
      await browser.ok('DELETE', `/api/v1/users/${id}/roles/guest`);
      assert.deepEqual(await browser.ok('GET', `/api/v1/users/${id}/roles`), ['root']);
    });

    test('a cluster with scopes and block lists', async () => {
      const config = {
        peer_cluster_config: {
          load_limit: 200,
          block_list: { task: { download: { applications: ['a'], urls: ['u'], tags: ['t'], priorities: [1] } } },
        },
        scheduler_cluster_config: { candidate_parent_limit: 4, filter_parent_limit: 15, job_rate_limit: 10 },
        seed_peer_cluster_config: {
          load_limit: 2000,
          block_list: { persistent_cache_task: { upload: { applications: ['a'] } } },
        },
        bio: '',
        is_default: false,
      };
      const scopes = { cidrs: ['10.0.0.0/8'], idc: 'a|b', location: 'l', hostnames: ['x.*'] };
      const { id } = await browser.ok<Row>('POST', '/api/v1/clusters', { name: 'second', ...config, scopes });
      assert.ok((await browser.ok<Row[]>('GET', `/api/v1/clusters?${all}`)).some((cluster) => cluster.id === id));
      assert.deepEqual((await browser.ok<Row[]>('GET', '/api/v1/clusters?name=second')).length, 1);
      const empty = { cidrs: [], idc: '', location: '', hostnames: [] };
      await browser.ok('PATCH', `/api/v1/clusters/${id}`, { ...config, scopes: empty });
      const shown = await browser.ok<object>('GET', `/api/v1/clusters/${id}`);
      assert.partialDeepStrictEqual(shown, { ...config, scopes: empty });
      await browser.ok('DELETE', `/api/v1/clusters/${id}`);
    });

    test('schedulers, seed peers, peers', async () => {
      const [scheduler] = await browser.ok<Row[]>('GET', `/api/v1/schedulers?scheduler_cluster_id=1&${all}`);
      assert.ok(scheduler);
      assert.equal((await browser.ok<Row[]>('GET', '/api/v1/schedulers?host_name=scheduler-0')).length, 1);
      const features = await browser.ok<string[]>('GET', '/api/v1/scheduler-features');
      assert.deepEqual(features, ['schedule', 'preheat']);
      await browser.ok('PATCH', `/api/v1/schedulers/${scheduler.id}`, { features });
      await browser.ok('GET', `/api/v1/schedulers/${scheduler.id}`);
      await browser.ok('GET', `/api/v1/seed-peers?seed_peer_cluster_id=1&${all}`);
      await browser.ok('POST', '/api/v1/jobs', { type: 'sync_peers', scheduler_cluster_ids: [1] });
      assert.equal((await browser.ok<Row[]>('GET', `/api/v1/peers?scheduler_cluster_id=1&${all}`)).length, 3);
    });

    test('tokens', async () => {
      const token = { bio: '', scopes: ['job', 'cluster'], expired_at: '2099-01-01T00:00:00.000Z' };
      const { id } = await browser.ok<Row>('POST', '/api/v1/personal-access-tokens', {
        name: 't',
        ...token,
        user_id: 1,
      });
      assert.ok((await browser.ok<Row[]>('GET', `/api/v1/personal-access-tokens?${all}`)).length > 0);
      await browser.ok('PATCH', `/api/v1/personal-access-tokens/${id}`, { ...token, scopes: ['job'] });
      await browser.ok('DELETE', `/api/v1/personal-access-tokens/${id}`);
    });

    test('jobs: preheat, find a task, delete it, and their pages', async () => {
      const url = file();
      const args = { tag: '', application: '', filtered_query_params: '' };
      const preheatArgs = { ...args, type: 'file', urls: [url, file()], headers: {}, piece_length: 4 * 2 ** 20 };
      for (const wanted of [
        { scope: 'single_seed_peer' },
        { scope: 'all_seed_peers', count: 2 },
        { scope: 'all_peers', percentage: 50 },
      ]) {
        const body = { bio: '', type: 'preheat', args: { ...preheatArgs, ...wanted }, scheduler_cluster_ids: [1] };
        assert.equal((await job(body)).state, 'SUCCESS', wanted.scope);
      }
      const page = await browser.request('GET', '/api/v1/jobs?page=1&per_page=1&state=SUCCESS&type=preheat');
      assert.ok(lastPage(page) >= 3, page.headers.get('link') ?? 'no link');
      const asked = { ...args, url, piece_length: 4 * 2 ** 20 };
      assert.ok(told(await job({ args: asked, type: 'get_task' }), 'peers') > 0);
      assert.equal(
        told(await job({ args: { content_for_calculating_task_id: 'nobody' }, type: 'get_task' }), 'peers'),
        0,
      );
      const deleted = await job({ args: asked, scheduler_cluster_ids: [1], type: 'delete_task' });
      assert.ok(told(deleted, 'success_tasks') > 0);
      const executions = await browser.request('GET', '/api/v1/jobs?page=1&per_page=10&type=delete_task');
      assert.equal(lastPage(executions), 1);
    });

    test('what is cleaned up, and who did what', async () => {
      const [settings] = await browser.ok<Row[]>('GET', `/api/v1/configs?${all}`);
      const value = '{"audit":{"ttl":604800000000000},"job":{"ttl":604800000000000}}';
      await browser.ok('PATCH', `/api/v1/configs/${settings?.id ?? 0}`, { value });
      for (const type of ['audit', 'job']) {
        const gc = await browser.ok<Job>('POST', '/api/v1/jobs', { type: 'gc', args: { type }, user_id: 1 });
        assert.equal(gc.result?.purged, 0);
      }
      assert.equal((await browser.ok<Row[]>('GET', `/api/v1/jobs?${all}&type=gc`)).length, 2);
      const audits = await browser.request(
        'GET',
        '/api/v1/audits?page=1&per_page=10&operation=POST&path=%2Fapi&actor_type=USER&state=SUCCESS',
      );
      assert.equal(audits.status, 200);
      assert.ok(lastPage(audits) >= 1);
    });

    test('persistent cache tasks, of which there are none', async () => {
      const tasks = '/api/v1/persistent-cache-tasks';
      assert.deepEqual(await browser.ok('GET', `${tasks}?${all}&scheduler_cluster_id=1`), []);
    });
  });
});
