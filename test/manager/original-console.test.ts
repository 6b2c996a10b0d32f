/**
 * What the original's console asks, as recorded while each of its 24 pages was opened and each of its forms was sent, and
 * what it reads in the answers. It takes what is missing for a text, or stops with an empty page.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { databaseConfig } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import type { RestClient } from './support/rest-client.ts';

type Kind = 'text' | 'number' | 'flag' | 'list' | 'object';

interface Call {
  readonly asks: string;
  readonly body?: object;
  /** Where in the answer, and what must stand there; `0` is the first of a list. */
  readonly reads?: Readonly<Record<string, Kind>>;
}

const all = 'page=1&per_page=10000000';

const cluster: Readonly<Record<string, Kind>> = {
  id: 'number',
  name: 'text',
  bio: 'text',
  is_default: 'flag',
  'scopes.idc': 'text',
  'scopes.location': 'text',
  'scopes.cidrs': 'list',
  'scopes.hostnames': 'list',
  scheduler_cluster_id: 'number',
  seed_peer_cluster_id: 'number',
  'scheduler_cluster_config.candidate_parent_limit': 'number',
  'scheduler_cluster_config.filter_parent_limit': 'number',
  'scheduler_cluster_config.job_rate_limit': 'number',
  'seed_peer_cluster_config.load_limit': 'number',
  'peer_cluster_config.load_limit': 'number',
  created_at: 'text',
  updated_at: 'text',
};

const newCluster = {
  bio: 'new one',
  is_default: false,
  peer_cluster_config: { load_limit: 200 },
  scheduler_cluster_config: { candidate_parent_limit: 3, filter_parent_limit: 40, job_rate_limit: 10 },
  seed_peer_cluster_config: { load_limit: 2000 },
  scopes: { cidrs: ['10.0.0.0/8'], idc: 'hz', location: 'China|Hang', hostnames: [] },
};

const scheduler: Readonly<Record<string, Kind>> = {
  id: 'number',
  host_name: 'text',
  ip: 'text',
  port: 'number',
  state: 'text',
  features: 'list',
  idc: 'text',
  location: 'text',
  scheduler_cluster_id: 'number',
  created_at: 'text',
  updated_at: 'text',
};

const user: Readonly<Record<string, Kind>> = {
  id: 'number',
  name: 'text',
  email: 'text',
  phone: 'text',
  location: 'text',
  bio: 'text',
  avatar: 'text',
  state: 'text',
  created_at: 'text',
};

const token: Readonly<Record<string, Kind>> = {
  id: 'number',
  name: 'text',
  bio: 'text',
  scopes: 'list',
  state: 'text',
  expired_at: 'text',
  'user.name': 'text',
};

const collected: Readonly<Record<string, Kind>> = {
  id: 'number',
  state: 'text',
  'args.type': 'text',
  // Shown as a duration: one that is missing ends the page.
  'args.ttl': 'number',
  'args.batch_size': 'number',
  'result.purged': 'number',
  user_id: 'number',
  created_at: 'text',
};

const preheat: Readonly<Record<string, Kind>> = {
  id: 'number',
  bio: 'text',
  type: 'text',
  state: 'text',
  'args.urls.0': 'text',
  'args.headers': 'object',
  'args.scope': 'text',
  created_at: 'text',
};

const audit: Readonly<Record<string, Kind>> = {
  id: 'number',
  actor_type: 'text',
  actor_name: 'text',
  operation: 'text',
  operated_at: 'text',
  state: 'text',
  path: 'text',
  status_code: 'number',
};

/** In the order they were recorded. */
const calls: readonly Call[] = [
  { asks: `GET clusters?${all}`, reads: inList(cluster) },
  { asks: 'GET clusters/1', reads: cluster },
  { asks: 'POST clusters', body: { name: 'cluster-17', ...newCluster }, reads: cluster },
  { asks: 'PATCH clusters/2', body: { ...newCluster, bio: 'changed' }, reads: cluster },
  { asks: 'DELETE clusters/2' },
  { asks: `GET schedulers?${all}`, reads: inList(scheduler) },
  { asks: `GET schedulers?${all}&scheduler_cluster_id=1`, reads: inList(scheduler) },
  { asks: 'GET schedulers/1', reads: scheduler },
  { asks: 'GET scheduler-features', reads: { '0': 'text' } },
  { asks: 'PATCH schedulers/1', body: { features: ['schedule'] }, reads: scheduler },
  { asks: `GET seed-peers?${all}` },
  { asks: `GET peers?${all}&scheduler_cluster_id=1` },
  { asks: `GET persistent-cache-tasks?${all}&scheduler_cluster_id=1` },
  { asks: 'GET users/1', reads: user },
  { asks: 'GET users/1/roles', reads: { '0': 'text' } },
  {
    asks: 'PATCH users/1',
    body: { bio: 'I am root', phone: '+86', location: 'Shanghai', email: 'root@example.com' },
    reads: user,
  },
  { asks: `GET users?${all}`, reads: inList(user) },
  { asks: 'PUT users/2/roles/root' },
  { asks: 'DELETE users/2/roles/guest' },
  {
    asks: 'POST personal-access-tokens',
    body: { name: 'root-12', bio: '', scopes: ['job', 'cluster'], expired_at: '2099-01-29T10:20:37.097Z', user_id: 1 },
    reads: { ...token, token: 'text' },
  },
  { asks: `GET personal-access-tokens?${all}`, reads: inList(token) },
  { asks: 'GET personal-access-tokens/1', reads: token },
  {
    asks: 'PATCH personal-access-tokens/1',
    body: { bio: 'for ci', scopes: ['job'], state: 'inactive', expired_at: '2099-01-29T10:20:37.097Z', user_id: 1 },
    reads: token,
  },
  { asks: 'DELETE personal-access-tokens/1' },
  {
    asks: 'POST jobs',
    body: {
      bio: 'create preheat',
      type: 'preheat',
      args: {
        type: 'file',
        urls: ['http://127.0.0.1:9/file'],
        tag: 'tag-1',
        application: '',
        filtered_query_params: '',
        headers: {},
        scope: 'all_seed_peers',
      },
      scheduler_cluster_ids: [1],
    },
    reads: { ...preheat, 'scheduler_clusters.0.id': 'number' },
  },
  { asks: 'GET jobs?page=1&per_page=10&type=preheat', reads: inList(preheat) },
  { asks: 'GET jobs?page=1&per_page=10&state=SUCCESS&type=preheat' },
  { asks: 'GET jobs/1', reads: preheat },
  {
    asks: 'POST jobs',
    body: {
      args: { url: 'http://127.0.0.1:9/file', tag: '', application: '', filtered_query_params: '' },
      type: 'get_task',
    },
    reads: { id: 'number', state: 'text' },
  },
  {
    asks: 'POST jobs',
    body: { args: { task_id: 'b'.repeat(64) }, type: 'delete_task', scheduler_cluster_ids: [1] },
    reads: { id: 'number', state: 'text', 'args.task_id': 'text' },
  },
  { asks: 'GET jobs?page=1&per_page=10&type=delete_task', reads: { '0.args.task_id': 'text', '0.state': 'text' } },
  { asks: `GET configs?${all}`, reads: { '0.id': 'number', '0.value': 'text' } },
  {
    asks: 'PATCH configs/1',
    body: { value: '{"audit":{"ttl":172800000000000},"job":{"ttl":21600000000000}}' },
    reads: { value: 'text' },
  },
  { asks: 'POST jobs', body: { type: 'gc', args: { type: 'audit' }, user_id: 1 }, reads: collected },
  { asks: 'POST jobs', body: { type: 'gc', args: { type: 'job' }, user_id: 1 }, reads: collected },
  { asks: `GET jobs?${all}&type=gc`, reads: inList(collected) },
  { asks: 'GET audits?page=1&per_page=10', reads: inList(audit) },
  {
    asks: 'GET audits?actor_name=root&actor_type=USER&operation=POST&page=1&per_page=10&state=SUCCESS',
    reads: inList(audit),
  },
  { asks: 'POST users/signout', body: {} },
];

describe('the original’s console', () => {
  let manager: ManagerService;
  let root: RestClient;

  before(async () => {
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), { auth: { signUp: true } });
    root = await rootOf(manager);
    const place = { host_name: 'scheduler-1', ip: '127.0.0.1', port: 8002, scheduler_cluster_id: 1 };
    await root.ok('POST', '/api/v1/schedulers', place);
    const account = { name: 'jack', password: 'Secret123!x', email: 'jack@example.com' };
    await root.ok('POST', '/api/v1/users/signup', account);
  });
  after(() => manager[Symbol.asyncDispose]());

  test('finds in every answer what it reads', async () => {
    for (const { asks, body, reads = {} } of calls) {
      const [method = '', path = ''] = asks.split(' ');
      // It names the content type of every request, also of those without a body.
      const answer = await root.request(method, `/api/v1/${path}`, body, { 'content-type': 'application/json' });
      assert.equal(answer.status, 200, `${asks}: ${JSON.stringify(answer.body)}`);
      for (const [place, kind] of Object.entries(reads)) {
        const found = at(answer.body, place);
        assert.equal(kindOf(found), kind, `${asks}: ${place} is ${JSON.stringify(found)}`);
      }
    }
  });

  test('sends back what it read of a cluster without places, and nothing is different', async () => {
    const signedIn = await rootOf(manager);
    const { scopes } = await signedIn.ok<{ scopes: object }>('GET', '/api/v1/clusters/1');
    assert.deepEqual(scopes, { idc: '', location: '', cidrs: [], hostnames: [] });
    await signedIn.ok('PATCH', '/api/v1/clusters/1', { bio: 'changed', scopes });
    const again = await signedIn.ok<{ scopes: object }>('GET', '/api/v1/clusters/1');
    assert.deepEqual(again.scopes, scopes);
    const row = await signedIn.ok<{ scopes: object }>('GET', '/api/v1/scheduler-clusters/1');
    assert.deepEqual(row.scopes, scopes);
  });

  test('shows what was wrong with a form: it reads a message, whatever the status', async () => {
    const signedIn = await rootOf(manager);
    const refused = await signedIn.request('POST', '/api/v1/jobs', {
      type: 'get_image_distribution',
      args: { url: 'http://127.0.0.1:9/file' },
    });
    assert.equal(refused.status, 400);
    assert.match((refused.body as { message: string }).message, /names no image/);
    const unfit = await signedIn.request('POST', '/api/v1/clusters', { ...newCluster, name: '' });
    assert.equal(unfit.status, 422);
    assert.match((unfit.body as { message: string }).message, /^name: /);
  });
});

function inList(reads: Readonly<Record<string, Kind>>): Readonly<Record<string, Kind>> {
  return Object.fromEntries(Object.entries(reads).map(([place, kind]) => [`0.${place}`, kind]));
}

function at(value: unknown, place: string): unknown {
  return place.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
}

function kindOf(value: unknown): Kind | undefined {
  if (Array.isArray(value)) return 'list';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return 'number';
    case 'boolean':
      return 'flag';
    case 'object':
      return value === null ? undefined : 'object';
    default:
      return undefined;
  }
}
