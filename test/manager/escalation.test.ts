/** Nobody gives himself or another more rights than he has, nor touches who may more: every operation that deals with rights, tried. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { databaseConfig } from './support/engines.ts';
import { rootOf, rootPassword, startManager } from './support/manager-fixture.ts';
import { RestClient } from './support/rest-client.ts';

const password = 'long enough 1';
const expires = '2099-01-01T00:00:00Z';
/** All about people, nothing about clusters. */
const clerkRights = ['users', 'roles', 'permissions', 'personal-access-tokens', 'oauth'];

interface Id {
  readonly id: number;
}

describe('escalation', () => {
  let manager: ManagerService;
  let root: RestClient;
  let clerk: RestClient;
  let clerkId = 0;
  let rootToken = 0;

  async function account(name: string): Promise<number> {
    const { id } = await root.ok<Id>('POST', '/api/v1/users', { name, password });
    await root.ok('DELETE', `/api/v1/users/${id}/roles/guest`);
    return id;
  }

  before(async () => {
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }));
    root = await rootOf(manager);
    clerkId = await account('clerk');
    const permissions = clerkRights.map((object) => ({ object, action: '*' }));
    await root.ok('POST', '/api/v1/roles', { role: 'clerk', permissions });
    await root.ok('POST', '/api/v1/roles', { role: 'operator', permissions: [{ object: 'jobs', action: '*' }] });
    await root.ok('PUT', `/api/v1/users/${clerkId}/roles/clerk`);
    const token = { name: 'of root', expired_at: expires };
    ({ id: rootToken } = await root.ok<Id>('POST', '/api/v1/personal-access-tokens', token));
    await root.ok('POST', '/api/v1/oauth', {
      name: 'corp',
      client_id: 'dragonfly',
      client_secret: 'secret',
      redirect_url: 'http://127.0.0.1/callback',
      issuer: 'http://127.0.0.1:1',
    });
    clerk = await new RestClient(manager.restPort).signIn('clerk', password);
  });
  after(() => manager[Symbol.asyncDispose]());

  const refused: [what: string, method: string, path: () => string, body?: () => object][] = [
    ['takes the role root', 'PUT', () => `/users/${clerkId}/roles/root`],
    ['takes a role with a right he lacks', 'PUT', () => `/users/${clerkId}/roles/operator`],
    ['takes a role that reads what he may not', 'PUT', () => `/users/${clerkId}/roles/guest`],
    ['takes root from root', 'DELETE', () => '/users/1/roles/root'],
    ['disables root', 'PATCH', () => '/users/1', () => ({ state: 'disable' })],
    ['changes the address of root', 'PATCH', () => '/users/1', () => ({ email: 'clerk@example.org' })],
    ['deletes root', 'DELETE', () => '/users/1'],
    ['makes somebody who reads more', 'POST', () => '/users', () => ({ name: 'puppet', password })],
    [
      'makes a role with a right he lacks',
      'POST',
      () => '/roles',
      () => ({ role: 'more', permissions: [{ object: 'jobs', action: 'read' }] }),
    ],
    [
      'adds a right to his own role',
      'POST',
      () => '/roles/clerk/permissions',
      () => ({ object: 'certificates', action: '*' }),
    ],
    [
      'takes a right he lacks from others',
      'DELETE',
      () => '/roles/operator/permissions',
      () => ({ object: 'jobs', action: '*' }),
    ],
    ['deletes a role with rights he lacks', 'DELETE', () => '/roles/operator'],
    [
      'makes a token of root',
      'POST',
      () => '/personal-access-tokens',
      () => ({ name: 'mine', expired_at: expires, user_id: 1 }),
    ],
    ['widens a token of root', 'PATCH', () => `/personal-access-tokens/${rootToken}`, () => ({ scopes: [] })],
    ['deletes a token of root', 'DELETE', () => `/personal-access-tokens/${rootToken}`],
    ['makes his own issuer vouch for others', 'PATCH', () => '/oauth/1', () => ({ issuer: 'http://127.0.0.1:2' })],
    [
      'adds a provider',
      'POST',
      () => '/oauth',
      () => ({
        name: 'own',
        client_id: 'x',
        client_secret: 'x',
        redirect_url: 'http://127.0.0.1/',
        issuer: 'http://x',
      }),
    ],
    ['deletes a provider', 'DELETE', () => '/oauth/1'],
    [
      'changes the password of root',
      'POST',
      () => '/users/1/reset_password',
      () => ({ old_password: rootPassword, new_password: password }),
    ],
  ];
  for (const [what, method, path, body] of refused) {
    test(`a clerk who ${what} is refused`, async () => {
      const { status } = await clerk.request(method, `/api/v1${path()}`, body?.());
      assert.equal(status, 403);
    });
  }

  test('none of it has changed anything', async () => {
    assert.deepEqual(await root.ok('GET', `/api/v1/users/${clerkId}/roles`), ['clerk']);
    assert.deepEqual(await root.ok('GET', '/api/v1/users/1/roles'), ['root']);
    assert.deepEqual(await root.ok('GET', '/api/v1/roles'), ['clerk', 'guest', 'operator', 'root']);
    assert.deepEqual(await root.ok('GET', '/api/v1/roles/operator'), [['operator', 'jobs', '*']]);
    assert.equal((await root.ok<Id[]>('GET', '/api/v1/personal-access-tokens')).length, 1);
    assert.equal((await root.ok<Id[]>('GET', '/api/v1/oauth')).length, 1);
  });

  test('what he has he may give, and what is his he may change', async () => {
    const permissions = [{ object: 'users', action: 'read' }];
    await clerk.ok('POST', '/api/v1/roles', { role: 'reader', permissions });
    const reader = await account('reader');
    await clerk.ok('PUT', `/api/v1/users/${reader}/roles/reader`);
    await clerk.ok('PATCH', `/api/v1/users/${reader}`, { state: 'disable' });
    const token = { name: 'own', expired_at: expires, scopes: ['job'] };
    const { id } = await clerk.ok<Id>('POST', '/api/v1/personal-access-tokens', token);
    await clerk.ok('PATCH', `/api/v1/personal-access-tokens/${id}`, { state: 'inactive' });
    await clerk.ok('DELETE', `/api/v1/personal-access-tokens/${id}`);
  });

  test('M-6 with the first password nothing is told and nothing done before it is changed', async () => {
    await manager.database.db.updateTable('user').set({ must_change_password: 1 }).where('id', '=', clerkId).execute();
    const fresh = await new RestClient(manager.restPort).signIn('clerk', password);
    for (const path of ['/users', '/roles', `/users/${clerkId}`])
      assert.equal((await fresh.request('GET', `/api/v1${path}`)).status, 403, path);
    const profile = await fresh.request('PATCH', `/api/v1/users/${clerkId}`, { bio: 'x' });
    assert.equal(profile.status, 403);
    await fresh.ok('GET', '/api/v1/session');
    const change = { old_password: password, new_password: 'another one 2' };
    await fresh.ok('POST', `/api/v1/users/${clerkId}/reset_password`, change);
    const changed = await new RestClient(manager.restPort).signIn('clerk', 'another one 2');
    await changed.ok('GET', '/api/v1/users');
  });
});
