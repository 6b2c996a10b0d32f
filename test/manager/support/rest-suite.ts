/** The resources of the REST API, on any engine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatabaseConfig } from '../../../src/manager/config.ts';
import { eventually } from './engines.ts';
import { rootOf, rootPassword, startManager } from './manager-fixture.ts';
import { RestClient } from './rest-client.ts';

type Json = Record<string, unknown>;

const cluster = {
  name: 'edge',
  bio: 'b',
  scopes: { idc: 'a|b', location: '', cidrs: ['10.0.0.0/8'], hostnames: ['^edge-\\d+$'] },
  scheduler_cluster_config: { candidate_parent_limit: 5, filter_parent_limit: 20, job_rate_limit: 3 },
  seed_peer_cluster_config: { load_limit: 300 },
  peer_cluster_config: {
    load_limit: 51,
    block_list: { task: { download: { urls: ['^http://bad/'], priorities: [1] } } },
  },
  is_default: false,
};

/** Resource → a body that creates one, a change, and a filter that finds it. */
const resources: readonly { path: string; body: Json; change?: Json; filter: string }[] = [
  { path: 'clusters', body: cluster, change: { bio: 'changed', is_default: true }, filter: 'name=edge' },
  {
    path: 'scheduler-clusters',
    body: { name: 'half', config: {}, client_config: { load_limit: 9 } },
    change: { scopes: { idc: '', location: 'x|y', cidrs: [], hostnames: [] } },
    filter: 'name=half',
  },
  {
    path: 'seed-peer-clusters',
    body: { name: 'half', config: {} },
    change: { config: { load_limit: 8 } },
    filter: 'name=half',
  },
  {
    path: 'schedulers',
    body: { host_name: 's', ip: '10.0.0.1', port: 8002, scheduler_cluster_id: 1 },
    change: { features: ['schedule'], idc: 'x' },
    filter: 'host_name=s&state=inactive&scheduler_cluster_id=1',
  },
  {
    path: 'seed-peers',
    body: { host_name: 's', type: 'super', ip: '::1', port: 8002, download_port: 8003, seed_peer_cluster_id: 1 },
    change: { port: 9 },
    filter: 'type=super&download_port=8003',
  },
  {
    path: 'peers',
    body: {
      host_name: 'p',
      type: 'normal',
      ip: '10.0.0.9',
      port: 1,
      download_port: 2,
      os: 'linux',
      scheduler_cluster_id: 1,
    },
    filter: 'os=linux&type=normal',
  },
  { path: 'configs', body: { name: 'k', value: 'v', user_id: 1 }, change: { value: 'w', bio: '' }, filter: 'name=k' },
  {
    path: 'applications',
    body: {
      name: 'a',
      url: 'https://a.example',
      priority: { value: 3, urls: [{ regex: '/x/', value: 0 }] },
      user_id: 1,
    },
    change: { priority: { value: 0 } },
    filter: 'name=a',
  },
  {
    path: 'personal-access-tokens',
    body: { name: 't', scopes: ['job'], expired_at: '2099-01-01T00:00:00.000Z', user_id: 1 },
    change: { state: 'inactive' },
    filter: 'state=active&user_id=1',
  },
];

export function restSuite(newDatabase: () => Promise<DatabaseConfig>): void {
  test('every resource is created, read, found, changed and deleted', async () => {
    await using manager = await startManager(await newDatabase());
    const root = await rootOf(manager);
    for (const { path, body, change, filter } of resources) {
      const base = `/api/v1/${path}`;
      const created = await root.ok<Json>('POST', base, body);
      const one = `${base}/${String(created['id'])}`;
      assert.ok(!Number.isNaN(Date.parse(String(created['created_at']))), path);
      for (const [key, value] of Object.entries(body)) assert.deepEqual(created[key], value, `${path}.${key}`);
      assert.deepEqual(await root.ok('GET', one), { ...created, ...('token' in created ? { token: '' } : {}) });
      const found = await root.ok<Json[]>('GET', `${base}?${filter}`);
      assert.deepEqual(
        found.map(({ id }) => id),
        [created['id']],
        path,
      );
      assert.equal((await root.request('POST', base, body)).status, 409, `${path} twice`);
      if (change) {
        const changed = await root.ok<Json>('PATCH', one, change);
        for (const [key, value] of Object.entries({ ...body, ...change })) {
          assert.deepEqual(changed[key], value, `changed ${path}.${key}`);
        }
      } else {
        assert.equal((await root.request('PATCH', one, body)).status, 404);
      }
      assert.equal((await root.request('DELETE', one)).body, '');
      assert.equal((await root.request('GET', one)).status, 404, path);
      assert.equal((await root.request('DELETE', one)).status, 404, path);
    }
  });

  test('lists are cut into pages that link to each other', async () => {
    await using manager = await startManager(await newDatabase());
    const root = await rootOf(manager);
    for (let index = 0; index < 5; index += 1) {
      await root.ok('POST', '/api/v1/configs', { name: `k${index}`, value: 'same', user_id: 1 });
    }
    const middle = await root.request('GET', '/api/v1/configs?value=same&page=2&per_page=2');
    assert.deepEqual(
      (middle.body as Json[]).map(({ name }) => name),
      ['k2', 'k3'],
    );
    const url = (page: number): string => `</api/v1/configs?value=same&page=${page}&per_page=2>`;
    assert.equal(
      middle.headers.get('link'),
      `${url(1)};rel=prev,${url(3)};rel=next,${url(1)};rel=first,${url(3)};rel=last`,
    );
    assert.equal(middle.headers.get('x-total-count'), '5');
    const beyond = await root.request('GET', '/api/v1/configs?page=9&per_page=2');
    assert.deepEqual(beyond.body, []);
    const searched = await root.ok<Json[]>('GET', '/api/v1/configs?search=K3');
    assert.deepEqual(
      searched.map(({ name }) => name),
      ['k3'],
    );
    assert.deepEqual(await root.ok('GET', '/api/v1/configs?search=%25'), []);
    assert.equal((await root.ok<Json[]>('GET', '/api/v1/clusters?search=USTER')).length, 1);
    assert.deepEqual(await root.ok('GET', '/api/v1/clusters?name=uster'), []);
    const empty = await root.request('GET', '/api/v1/peers');
    assert.deepEqual(empty.body, []);
  });

  test('what does not fit the schema is 422, what does not exist 404', async () => {
    await using manager = await startManager(await newDatabase());
    const root = await rootOf(manager);
    const status = async (method: string, path: string, body?: unknown) =>
      (await root.request(method, path, body)).status;
    assert.equal(await status('POST', '/api/v1/clusters', { name: '' }), 422);
    assert.equal(await status('GET', '/api/v1/clusters/x'), 422);
    assert.equal(await status('GET', '/api/v1/clusters?page=0'), 422);
    assert.equal(await status('GET', '/api/v1/clusters/99'), 404);
    assert.equal(await status('GET', '/api/v1/nothing'), 404);
    assert.equal(
      await status('POST', '/api/v1/schedulers', { host_name: 's', ip: '10.0.0.1', port: 1, scheduler_cluster_id: 99 }),
      404,
    );
    const unusable = { ...cluster, scopes: { hostnames: ['(?=a)b'] } };
    assert.equal(await status('POST', '/api/v1/clusters', unusable), 422);
  });

  test('a cluster with members cannot be deleted, and there is one default', async () => {
    await using manager = await startManager(await newDatabase());
    const root = await rootOf(manager);
    const { id } = await root.ok<{ id: number }>('POST', '/api/v1/clusters', { ...cluster, is_default: true });
    const all = await root.ok<Json[]>('GET', '/api/v1/clusters');
    assert.deepEqual(
      all.map(({ is_default: isDefault }) => isDefault),
      [false, true],
    );
    const scheduler = await root.ok<{ id: number }>('POST', '/api/v1/schedulers', {
      host_name: 's',
      ip: '10.0.0.1',
      port: 1,
      scheduler_cluster_id: id,
    });
    assert.equal((await root.request('DELETE', `/api/v1/clusters/${id}`)).status, 412);
    await root.ok('DELETE', `/api/v1/schedulers/${scheduler.id}`);
    await root.ok('DELETE', `/api/v1/clusters/${id}`);
  });

  test('halves of clusters are linked and members moved between them', async () => {
    await using manager = await startManager(await newDatabase());
    const root = await rootOf(manager);
    const schedulers = await root.ok<{ id: number }>('POST', '/api/v1/scheduler-clusters', {
      name: 'h',
      config: {},
      client_config: {},
    });
    const seeds = await root.ok<{ id: number }>('POST', '/api/v1/seed-peer-clusters', { name: 'h', config: {} });
    assert.equal((await root.ok<Json>('GET', `/api/v1/clusters/${schedulers.id}`))['seed_peer_cluster_id'], 0);
    await root.ok('PUT', `/api/v1/seed-peer-clusters/${seeds.id}/scheduler-clusters/${schedulers.id}`);
    assert.equal((await root.ok<Json>('GET', `/api/v1/clusters/${schedulers.id}`))['seed_peer_cluster_id'], seeds.id);
    const one = await root.ok<{ id: number }>('POST', '/api/v1/schedulers', {
      host_name: 's',
      ip: '10.0.0.1',
      port: 1,
      scheduler_cluster_id: 1,
    });
    await root.ok('PUT', `/api/v1/scheduler-clusters/${schedulers.id}/schedulers/${one.id}`);
    assert.equal((await root.ok<Json>('GET', `/api/v1/schedulers/${one.id}`))['scheduler_cluster_id'], schedulers.id);
  });

  test('users, roles and permissions', async () => {
    await using manager = await startManager(await newDatabase());
    const root = await rootOf(manager);
    const { id } = await root.ok<{ id: number }>('POST', '/api/v1/users', {
      name: 'alice',
      password: 'wonderland',
      email: 'a@b.example',
    });
    assert.deepEqual(await root.ok('GET', `/api/v1/users/${id}/roles`), ['guest']);
    await root.ok('POST', '/api/v1/roles', { role: 'operator', permissions: [{ object: 'clusters', action: '*' }] });
    assert.deepEqual(await root.ok('GET', '/api/v1/roles'), ['guest', 'operator', 'root']);
    assert.deepEqual(await root.ok('GET', '/api/v1/roles/operator'), [['operator', 'clusters', '*']]);
    const alice = await new RestClient(manager.restPort).signIn('alice', 'wonderland');
    assert.equal((await alice.request('PATCH', '/api/v1/clusters/1', { bio: 'x' })).status, 403);
    await root.ok('PUT', `/api/v1/users/${id}/roles/operator`);
    assert.equal((await root.request('PUT', `/api/v1/users/${id}/roles/operator`)).status, 409);
    await eventually(async () =>
      assert.equal((await alice.request('PATCH', '/api/v1/clusters/1', { bio: 'x' })).status, 200),
    );
    await root.ok('DELETE', '/api/v1/roles/operator/permissions', { object: 'clusters', action: '*' });
    await eventually(async () =>
      assert.equal((await alice.request('PATCH', '/api/v1/clusters/1', { bio: 'y' })).status, 403),
    );
    assert.equal((await root.request('DELETE', '/api/v1/roles/root')).status, 412);
    assert.equal((await root.request('DELETE', '/api/v1/users/1/roles/root')).status, 412);
    assert.equal((await alice.request('PATCH', `/api/v1/users/${id}`, { bio: 'me' })).status, 200);
    assert.equal((await alice.request('PATCH', '/api/v1/users/1', { bio: 'not me' })).status, 403);
    await root.ok('PATCH', `/api/v1/users/${id}`, { state: 'disable' });
    await eventually(async () => assert.equal((await alice.request('GET', '/api/v1/clusters')).status, 401));
    await root.ok('DELETE', `/api/v1/users/${id}`);
  });

  test('M-7 role changes and revocations made on one replica hold on the other', async () => {
    const database = await newDatabase();
    await using first = await startManager(database);
    await using second = await startManager(database);
    const root = await rootOf(first);
    const { id } = await root.ok<{ id: number }>('POST', '/api/v1/users', { name: 'alice', password: 'wonderland' });
    const alice = await new RestClient(second.restPort).signIn('alice', 'wonderland');
    const audits = async (): Promise<number> => (await alice.request('GET', '/api/v1/audits')).status;
    assert.equal(await audits(), 403);
    await root.ok('PUT', `/api/v1/users/${id}/roles/root`);
    await eventually(async () => assert.equal(await audits(), 200));
    await root.ok('DELETE', `/api/v1/users/${id}/roles/root`);
    await eventually(async () => assert.equal(await audits(), 403));
    await root.ok('PATCH', `/api/v1/users/${id}`, { state: 'disable' });
    await eventually(async () => assert.equal(await audits(), 401));
  });

  test('a personal access token opens what its scopes and its owner allow', async () => {
    await using manager = await startManager(await newDatabase());
    const root = await rootOf(manager);
    const create = (name: string, scopes: string[], expired_at = '2099-01-01T00:00:00Z', user_id = 1) =>
      root.ok<{ id: number; token: string }>('POST', '/api/v1/personal-access-tokens', {
        name,
        scopes,
        expired_at,
        user_id,
      });
    const use = (token: string, method = 'GET', body?: unknown) =>
      new RestClient(manager.restPort, { authorization: `Bearer ${token}` }).request(
        method,
        method === 'GET' ? '/oapi/v1/clusters' : '/oapi/v1/clusters/1',
        body,
      );
    const good = await create('good', ['cluster']);
    assert.equal(good.token.length, 48);
    assert.equal((await use(good.token)).status, 200);
    assert.equal(
      (await new RestClient(manager.restPort).request('GET', `/oapi/v1/clusters?access_token=${good.token}`)).status,
      200,
    );
    assert.equal((await use(`${good.token}x`)).status, 401);
    assert.equal((await use((await create('wrong scope', ['job'])).token)).status, 403);
    assert.deepEqual((await use((await create('old', ['cluster'], '2001-01-01T00:00:00Z')).token)).body, {
      message: 'Token has expired',
    });
    const guest = await root.ok<{ id: number }>('POST', '/api/v1/users', { name: 'bob', password: 'password1' });
    const guestToken = await create('guest', ['cluster'], '2099-01-01T00:00:00Z', guest.id);
    assert.equal((await use(guestToken.token)).status, 200);
    assert.equal((await use(guestToken.token, 'PATCH', { bio: 'x' })).status, 403);
    await root.ok('PATCH', `/api/v1/personal-access-tokens/${good.id}`, { state: 'inactive' });
    await eventually(async () => assert.equal((await use(good.token)).status, 403));
    await root.ok('DELETE', `/api/v1/personal-access-tokens/${good.id}`);
    await eventually(async () => assert.equal((await use(good.token)).status, 401));
  });

  test('writes are audited with who made them and whether they worked', async () => {
    await using manager = await startManager(await newDatabase());
    const root = await rootOf(manager);
    await new RestClient(manager.restPort).request('POST', '/api/v1/users/signin', {
      name: 'root',
      password: 'wrong password',
    });
    await root.ok('POST', '/api/v1/configs', { name: 'k', value: 'v', user_id: 1 });
    await root.ok('GET', '/api/v1/configs');
    const records = await root.ok<Json[]>('GET', '/api/v1/audits');
    assert.deepEqual(
      records.map((record) => [
        record['actor_type'],
        record['actor_name'],
        record['operation'],
        record['path'],
        record['state'],
      ]),
      [
        ['USER', 'root', 'POST', '/api/v1/configs', 'SUCCESS'],
        ['UNKNOWN', 'root', 'POST', '/api/v1/users/signin', 'FAILURE'],
        ['UNKNOWN', 'root', 'POST', '/api/v1/users/signin', 'SUCCESS'],
      ],
    );
  });

  test('a new password ends every session, and the old one no longer works', async () => {
    await using manager = await startManager(await newDatabase());
    const root = await rootOf(manager);
    const wrong = await root.request('POST', '/api/v1/users/1/reset_password', {
      old_password: 'wrong',
      new_password: 'new password',
    });
    assert.equal(wrong.status, 401);
    await root.ok('POST', '/api/v1/users/1/reset_password', {
      old_password: rootPassword,
      new_password: 'new password',
    });
    await eventually(async () => assert.equal((await root.request('GET', '/api/v1/clusters')).status, 401));
    const anonymous = new RestClient(manager.restPort);
    assert.equal(
      (await anonymous.request('POST', '/api/v1/users/signin', { name: 'root', password: rootPassword })).status,
      401,
    );
    await anonymous.signIn('root', 'new password');
  });
}
