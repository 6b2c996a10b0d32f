/**
 * The surface as a matrix: every operation, asked by nobody, a guest, somebody with a role of his own, root, and by tokens
 * of every scope. `originalRoutes` is what clients of the original call; an operation that stands in neither list fails.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { guestObjects } from '../../src/manager/access/objects.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import { RestClient } from './support/rest-client.ts';

const crud = ['POST', 'GET', 'GET {}', 'PATCH {}', 'DELETE {}'];
const withoutPatch = crud.filter((route) => !route.startsWith('PATCH'));

/** Verbs and paths below the collection, `{}` for each parameter. */
const originalRoutes: Readonly<Record<string, readonly string[]>> = {
  '/api/v1/users': [
    'GET',
    'GET {}',
    'PATCH {}',
    'GET {}/roles',
    'PUT {}/roles/{}',
    'DELETE {}/roles/{}',
    'POST {}/reset_password',
    'POST signin',
    'POST signout',
    'POST refresh_token',
    'POST signup',
    'GET signin/{}',
    'GET signin/{}/callback',
  ],
  '/api/v1/roles': ['POST', 'GET', 'GET {}', 'DELETE {}', 'POST {}/permissions', 'DELETE {}/permissions'],
  '/api/v1/permissions': ['GET'],
  '/api/v1/oauth': crud,
  '/api/v1/clusters': crud,
  '/api/v1/scheduler-clusters': [...crud, 'PUT {}/schedulers/{}'],
  '/api/v1/schedulers': crud,
  '/api/v1/seed-peer-clusters': [...crud, 'PUT {}/seed-peers/{}', 'PUT {}/scheduler-clusters/{}'],
  '/api/v1/seed-peers': crud,
  '/api/v1/peers': withoutPatch,
  '/api/v1/configs': crud,
  '/api/v1/jobs': crud,
  '/api/v1/applications': crud,
  '/api/v1/personal-access-tokens': crud,
  '/api/v1/scheduler-features': ['GET'],
  '/api/v1/persistent-cache-tasks': ['GET', 'GET {}', 'DELETE {}'],
  '/api/v1/audits': ['GET'],
  '/oapi/v1/clusters': crud,
  '/oapi/v1/jobs': crud,
  '/healthy': ['GET'],
  '/metrics': ['GET'],
  '/_ping': ['GET'],
  '/preheats': ['POST', 'GET {}'],
};

const history = [
  'GET',
  'GET csv',
  'GET shares',
  'GET shares/csv',
  'GET shares/steps',
  'GET distributions',
  'GET distributions/{}/recording',
  'GET tasks',
  'GET report',
];

const replication = [...crud, 'GET {}/tags', 'POST {}/run', 'POST {}/secret'];

/** What this manager has beyond it. */
const furtherRoutes: Readonly<Record<string, readonly string[]>> = {
  '/readyz': ['GET'],
  '/api/v1/users': ['POST', 'DELETE {}'],
  '/api/v1/jobs': ['POST estimate', 'POST {}/cancel', 'POST {}/retry'],
  '/oapi/v1/jobs': ['POST estimate', 'POST {}/cancel', 'POST {}/retry'],
  '/api/v1/audits': ['GET {}'],
  '/api/v1/certificates': ['GET', 'POST {}/revoke', 'GET authority'],
  '/api/v1/join-tokens': ['POST', 'GET', 'DELETE {}'],
  '/api/v1/session': ['GET'],
  '/api/v1/console': ['GET'],
  '/api/v1/events': ['GET'],
  '/oapi/v1/events': ['GET'],
  '/api/v1/tasks': ['GET', 'GET {}', 'GET {}/events'],
  '/api/v1/nodes': ['GET', 'GET {}', 'GET {}/downloads'],
  '/api/v1/releases': ['GET', 'GET {}/versions/{}', 'DELETE {}/versions/{}', 'GET {}/subscribers'],
  '/api/v1/replication-rules': [...replication, 'POST {}/notifications'],
  '/oapi/v1/replication-rules': replication,
  '/api/v1/concerns': ['GET', 'POST acknowledge'],
  '/api/v1/traffic': history,
  '/oapi/v1/traffic': history,
  '/oapi/v1/releases': ['GET', 'GET {}/versions/{}', 'DELETE {}/versions/{}', 'GET {}/subscribers'],
  '/oapi/v1/nodes': ['GET', 'GET {}', 'GET {}/downloads'],
  '/oapi/v1/concerns': ['GET', 'POST acknowledge'],
};

/** Needs no caller. */
const publicRoutes = new Set([
  'GET /healthy',
  'GET /metrics',
  'GET /_ping',
  'GET /readyz',
  'POST /api/v1/users/signin',
  'POST /api/v1/users/signout',
  'POST /api/v1/users/signup',
  'POST /api/v1/users/refresh_token',
  'GET /api/v1/users/signin/{}',
  'GET /api/v1/users/signin/{}/callback',
  'GET /api/v1/console',
]);

/** For whoever has the secret of what is named, and for nobody by his account. */
const secretRoutes = ['POST /api/v1/replication-rules/{}/notifications'];

/** Whoever is signed in, about himself. */
const ownRoutes = new Set(['GET /api/v1/session', 'POST /api/v1/users/{}/reset_password']);

/** Answers that never end, and one that ends the session of who asks. */
const notAskedByCallers = /\/events$|signout|signin|refresh_token|signup|reset_password/;

function listed(table: Readonly<Record<string, readonly string[]>>): string[] {
  return Object.entries(table).flatMap(([base, routes]) =>
    routes.map((route) => {
      const [method = '', rest] = route.split(' ');
      return `${method} ${base}${rest === undefined ? '' : `/${rest}`}`;
    }),
  );
}

describe('surface', () => {
  let manager: ManagerService;
  let root: RestClient;
  let anonymous: RestClient;
  let operations: string[];

  before(async () => {
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), { auth: { signUp: true } });
    anonymous = new RestClient(manager.restPort);
    root = await rootOf(manager);
    const { paths } = await root.ok<{ paths: Record<string, object> }>('GET', '/swagger/doc.json');
    operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{[^}]+\}/g, '{}')}`),
    );
  });
  after(() => manager[Symbol.asyncDispose]());

  async function user(name: string): Promise<{ id: number; client: RestClient }> {
    const { id } = await root.ok<{ id: number }>('POST', '/api/v1/users', { name, password: 'password1' });
    return { id, client: await anonymous.signIn(name, 'password1') };
  }

  async function token(name: string, scopes: readonly string[], userId = 1): Promise<RestClient> {
    const body = { name, scopes, expired_at: '2099-01-01T00:00:00Z', user_id: userId };
    const created = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', body);
    return new RestClient(manager.restPort, { authorization: `Bearer ${created.token}` });
  }

  /** Ids of nothing, so that what is allowed changes nothing. */
  async function statusOf(client: RestClient, operation: string): Promise<number> {
    const [method = '', path = ''] = operation.split(' ');
    const target = path.replaceAll('{}', '999999');
    return (await client.request(method, target, method === 'GET' ? undefined : {})).status;
  }

  /** 401: not known; 403: known, but not for this; anything else: let in. */
  function admission(status: number): 'unknown' | 'refused' | 'in' {
    return status === 401 ? 'unknown' : status === 403 ? 'refused' : 'in';
  }

  async function requireMatrix(
    client: RestClient,
    expected: (operation: string, object: string) => ReturnType<typeof admission>,
  ): Promise<void> {
    for (const operation of operations) {
      if (publicRoutes.has(operation) || ownRoutes.has(operation) || notAskedByCallers.test(operation)) continue;
      const path = operation.split(' ')[1] ?? '';
      if (secretRoutes.includes(operation)) {
        assert.equal(await statusOf(client, operation), 401, operation);
        continue;
      }
      const object = path === '/preheats' || path === '/preheats/{}' ? 'jobs' : (path.split('/')[3] ?? '');
      assert.equal(admission(await statusOf(client, operation)), expected(operation, object), operation);
    }
  }

  const bySession = (operation: string): boolean => operation.includes(' /api/v1/');
  const isRead = (operation: string): boolean => operation.startsWith('GET ');

  test('the content type of a body that is not sent does no harm, as clients of the original name it', async () => {
    const json = { 'content-type': 'application/json' };
    const missing = await root.request('DELETE', '/api/v1/schedulers/999999', undefined, json);
    assert.equal(missing.status, (await root.request('DELETE', '/api/v1/schedulers/999999')).status);
  });

  test('there is every route of the original, and none that is listed nowhere', () => {
    assert.deepEqual(operations.toSorted(), [...listed(originalRoutes), ...listed(furtherRoutes)].toSorted());
  });

  test('DF2-1 matrix: nobody gets in without credentials', async () => {
    await requireMatrix(anonymous, () => 'unknown');
    for (const operation of ownRoutes) assert.equal(await statusOf(anonymous, operation), 401, operation);
  });

  test('M-1 matrix: a guest reads what guests need', async () => {
    const { client } = await user('guest-1');
    const readable: readonly string[] = guestObjects;
    await requireMatrix(client, (operation, object) =>
      !bySession(operation) ? 'unknown' : isRead(operation) && readable.includes(object) ? 'in' : 'refused',
    );
  });

  test('matrix: a role of one’s own opens what it names and nothing else', async () => {
    const { id, client } = await user('operator-1');
    const permissions = [
      { object: 'jobs', action: '*' },
      { object: 'audits', action: 'read' },
    ];
    await root.ok('POST', '/api/v1/roles', { role: 'operator', permissions });
    await root.ok('PUT', `/api/v1/users/${id}/roles/operator`);
    await root.ok('DELETE', `/api/v1/users/${id}/roles/guest`);
    await eventually(async () => assert.equal(await statusOf(client, 'GET /api/v1/audits'), 200));
    await eventually(async () => assert.equal(await statusOf(client, 'GET /api/v1/clusters'), 403));
    await requireMatrix(client, (operation, object) => {
      if (!bySession(operation)) return 'unknown';
      return object === 'jobs' || (object === 'audits' && isRead(operation)) ? 'in' : 'refused';
    });
  });

  test('matrix: root may everything, by a session', async () => {
    await requireMatrix(root, (operation) => (bySession(operation) ? 'in' : 'unknown'));
  });

  const opened = {
    job: ['jobs'],
    cluster: ['clusters', 'nodes', 'concerns', 'traffic', 'releases', 'replication-rules'],
  };
  for (const scope of ['job', 'cluster'] as const) {
    test(`matrix: a token of the scope ${scope} opens its collection of /oapi, and no session`, async () => {
      const client = await token(`matrix-${scope}`, [scope]);
      await requireMatrix(client, (operation, object) => {
        if (bySession(operation)) return 'unknown';
        return opened[scope].includes(object) ? 'in' : 'refused';
      });
    });
  }

  test('matrix: a token gives no more than its owner may', async () => {
    const { id } = await user('guest-2');
    const client = await token('matrix-guest', ['job', 'cluster'], id);
    const readable: readonly string[] = guestObjects;
    await requireMatrix(client, (operation, object) =>
      bySession(operation) ? 'unknown' : isRead(operation) && readable.includes(object) ? 'in' : 'refused',
    );
  });

  test('matrix: what is inactive or expired opens nothing', async () => {
    const off = await token('matrix-off', ['job', 'cluster']);
    const [row] = await root.ok<{ id: number }[]>('GET', '/api/v1/personal-access-tokens?search=matrix-off');
    await root.ok('PATCH', `/api/v1/personal-access-tokens/${row?.id ?? 0}`, { state: 'inactive' });
    await requireMatrix(off, (operation) => (bySession(operation) ? 'unknown' : 'refused'));
    const body = { name: 'matrix-old', scopes: ['job', 'cluster'], expired_at: '2001-01-01T00:00:00Z' };
    const created = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', body);
    const old = new RestClient(manager.restPort, { authorization: `Bearer ${created.token}` });
    await requireMatrix(old, (operation) => (bySession(operation) ? 'unknown' : 'refused'));
  });
});
