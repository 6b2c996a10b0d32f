/** Who gets in, and what must stay secret. Names begin with the threat they answer. */
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DragonflyError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Registry } from '../../src/core/metrics.ts';
import type { OperatorSecrets } from '../../src/manager/access/access.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { databaseConfig } from './support/engines.ts';
import { rootOf, rootPassword, startManager } from './support/manager-fixture.ts';
import { RestClient, type Answer } from './support/rest-client.ts';

let directory: string;
let count = 0;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'manager-access-'));
});
after(() => rm(directory, { recursive: true, force: true }));

function newDatabase() {
  return databaseConfig({ sqlite: { path: join(directory, `${(count += 1)}`, 'manager.db') } });
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly security: readonly Record<string, unknown>[];
}

async function operations(client: RestClient): Promise<Operation[]> {
  const { paths } = await client.ok<{ paths: Record<string, Record<string, { security: [] }>> }>(
    'GET',
    '/swagger/doc.json',
  );
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{[^}]+\}/g, '1'),
      security,
    })),
  );
}

/** What needs no caller, each with its reason in front. */
const publicOperations = [
  // health and metrics
  'GET /healthy',
  'GET /_ping',
  'GET /readyz',
  'GET /metrics',
  // becoming and ceasing to be somebody
  'POST /api/v1/users/signin',
  'POST /api/v1/users/signout',
  // what a sign-in page shows
  'GET /api/v1/console',
];

describe('access', () => {
  let manager: ManagerService;
  let anonymous: RestClient;
  let root: RestClient;
  before(async () => {
    manager = await startManager(newDatabase());
    anonymous = new RestClient(manager.restPort);
    root = await rootOf(manager);
  });
  after(() => manager[Symbol.asyncDispose]());

  test('DF2-1 every operation of the OpenAPI document without credentials is 401', async () => {
    const all = await operations(anonymous);
    assert.ok(all.length > 60);
    const open: string[] = [];
    for (const { method, path, security } of all) {
      const { status } = await anonymous.request(method, path, method === 'GET' ? undefined : {});
      if (status !== 401) open.push(`${method} ${path}`);
      else if (path !== '/api/v1/users/refresh_token') assert.equal(security.length, 1, path);
    }
    const byBrowser = (path: string): boolean => path.startsWith('GET /api/v1/users/signin/');
    assert.deepEqual(open.filter((name) => !byBrowser(name)).sort(), [...publicOperations].sort());
  });

  test('M-1 nobody signs up unless the operator lets them', async () => {
    assert.equal(
      (
        await anonymous.request('POST', '/api/v1/users/signup', {
          name: 'eve',
          password: 'password1',
          email: 'e@e.example',
        })
      ).status,
      401,
    );
    const guest = { name: 'made-by-root', password: 'password1', email: 'm@e.example' };
    await root.ok('POST', '/api/v1/users/signup', guest);
    await using open = await startManager(newDatabase(), { auth: { signUp: true } });
    const answer = await new RestClient(open.restPort).request('POST', '/api/v1/users/signup', {
      name: 'eve',
      password: 'password1',
      email: 'e@e.example',
    });
    assert.equal(answer.status, 200);
  });

  test('DF2-1 tokens are not in the database', async () => {
    const { token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', {
      name: 'secret',
      expired_at: '2099-01-01T00:00:00Z',
    });
    const rows = await manager.database.db.selectFrom('personal_access_token').selectAll().execute();
    assert.ok(!JSON.stringify(rows).includes(token));
    const listed = await root.ok<{ token: string }[]>('GET', '/api/v1/personal-access-tokens');
    assert.deepEqual(
      listed.map((row) => row.token),
      [''],
    );
  });

  test('M-3 the session cookie is HttpOnly and SameSite, the readable one is no credential', async () => {
    const { headers } = await anonymous.request('POST', '/api/v1/users/signin', {
      name: 'root',
      password: rootPassword,
    });
    const cookies = headers.getSetCookie();
    const session = cookies.find((cookie) => cookie.startsWith('dragonfly_session=')) ?? '';
    const readable = cookies.find((cookie) => cookie.startsWith('jwt=')) ?? '';
    assert.match(session, /HttpOnly/);
    assert.match(session, /SameSite=Lax/);
    assert.doesNotMatch(readable, /HttpOnly/);
    const value = (cookie: string): string => cookie.split(';', 1)[0] ?? '';
    const claims = JSON.parse(Buffer.from(value(readable).split('.')[1] ?? '', 'base64url').toString()) as {
      id: number;
    };
    assert.equal(claims.id, 1);
    assert.equal(
      (await anonymous.request('GET', '/api/v1/clusters', undefined, { cookie: value(readable) })).status,
      401,
    );
    assert.equal(
      (await anonymous.request('GET', '/api/v1/clusters', undefined, { cookie: value(session) })).status,
      200,
    );

    const out = await anonymous.request('POST', '/api/v1/users/signout', undefined, { cookie: value(session) });
    assert.equal(out.status, 200);
    assert.equal(
      (await anonymous.request('GET', '/api/v1/clusters', undefined, { cookie: value(session) })).status,
      401,
    );
  });

  test('M-3 a page of another site cannot act with the cookie of its visitor', async () => {
    const { headers } = await anonymous.request('POST', '/api/v1/users/signin', {
      name: 'root',
      password: rootPassword,
    });
    const cookie = headers
      .getSetCookie()
      .map((line) => line.split(';', 1)[0])
      .join('; ');
    const write = (extra: Record<string, string>): Promise<Answer> =>
      anonymous.request(
        'POST',
        '/api/v1/configs',
        { name: `k${Math.random()}`, value: 'v', user_id: 1 },
        { cookie, ...extra },
      );
    const host = `127.0.0.1:${manager.restPort}`;
    assert.equal((await write({})).status, 200);
    assert.equal((await write({ origin: `http://${host}` })).status, 200);
    assert.equal((await write({ origin: 'https://evil.example' })).status, 403);
    assert.equal((await write({ origin: 'null' })).status, 403);
    const login = await anonymous.request(
      'POST',
      '/api/v1/users/signin',
      { name: 'root', password: rootPassword },
      { origin: 'https://evil.example' },
    );
    assert.equal(login.status, 403);
  });

  test('M-5 other origins get no CORS headers unless they are on the list', async () => {
    const ask = async (service: ManagerService): Promise<string | null> =>
      (
        await new RestClient(service.restPort).request('GET', '/healthy', undefined, {
          origin: 'https://console.example',
        })
      ).headers.get('access-control-allow-origin');
    assert.equal(await ask(manager), null);
    await using listed = await startManager(newDatabase(), {
      server: { rest: { allowedOrigins: ['https://console.example'] } },
    });
    assert.equal(await ask(listed), 'https://console.example');
    const preflight = await new RestClient(listed.restPort).request('OPTIONS', '/api/v1/clusters', undefined, {
      origin: 'https://console.example',
    });
    assert.equal(preflight.status, 204);
  });

  test('a session that was refreshed replaces the old one', async () => {
    const old = await anonymous.signIn('root', rootPassword);
    const { token } = await old.ok<{ token: string }>('POST', '/api/v1/users/refresh_token');
    assert.equal((await old.request('GET', '/api/v1/clusters')).status, 401);
    assert.equal(
      (await anonymous.request('GET', '/api/v1/clusters', undefined, { authorization: `Bearer ${token}` })).status,
      200,
    );
  });

  test('a forged or foreign session is 401', async () => {
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { id: 1, exp: 4_000_000_000, jti: 'x' };
    for (const token of [
      `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`,
      `${encode({ alg: 'HS256' })}.${encode(claims)}.AAAA`,
      'x',
    ]) {
      assert.equal(
        (await anonymous.request('GET', '/api/v1/clusters', undefined, { authorization: `Bearer ${token}` })).status,
        401,
      );
    }
  });

  test('guessing a password makes the account rest', async () => {
    await root.ok('POST', '/api/v1/users', { name: 'victim', password: 'password1' });
    const attempt = (password: string): Promise<Answer> =>
      anonymous.request('POST', '/api/v1/users/signin', { name: 'victim', password });
    for (let guess = 0; guess < 5; guess += 1) assert.equal((await attempt(`guess ${guess}`)).status, 401);
    assert.equal((await attempt('password1')).status, 429);
    const answer = await anonymous.request('POST', '/api/v1/users/signin', { name: 'nobody', password: 'guess' });
    assert.deepEqual([answer.status, answer.body], [401, { message: 'name or password is wrong' }]);
  });

  test('sign-in attempts of one address are limited', async () => {
    await using limited = await startManager(newDatabase());
    const client = new RestClient(limited.restPort);
    const statuses = new Set<number>();
    for (let guess = 0; guess < 32; guess += 1) {
      statuses.add(
        (await client.request('POST', '/api/v1/users/signin', { name: `nobody${guess}`, password: 'x' })).status,
      );
    }
    assert.deepEqual(
      [...statuses].sort((a, b) => a - b),
      [401, 429],
    );
  });
});

test('M-6 the first start makes a password, says it once, and wants it changed', async () => {
  const database = newDatabase();
  const said: string[] = [];
  const first = { operator: {}, announceRootPassword: (password: string) => said.push(password) };
  const manager = await startManager(database, {}, first);
  await manager[Symbol.asyncDispose]();
  await using again = await startManager(database, {}, first);
  assert.equal(said.length, 1);
  const root = await new RestClient(again.restPort).signIn('root', said[0] ?? '');
  assert.equal((await root.request('GET', '/api/v1/clusters')).status, 403);
  assert.equal((await root.request('POST', '/api/v1/configs', { name: 'k', value: 'v', user_id: 1 })).status, 403);
  await root.ok('POST', '/api/v1/users/1/reset_password', { old_password: said[0], new_password: 'my own password' });
  const changed = await new RestClient(again.restPort).signIn('root', 'my own password');
  assert.equal((await changed.request('POST', '/api/v1/configs', { name: 'k', value: 'v', user_id: 1 })).status, 200);
  assert.equal((await changed.request('GET', '/api/v1/clusters')).status, 200);
});

test('M-3 the session key is made at the first start and kept encrypted; the published one is not used', async () => {
  const database = newDatabase();
  await using manager = await startManager(database, { auth: { jwt: { key: 'ZHJhZ29uZmx5Cg==' } } });
  await rootOf(manager);
  const rows = await manager.database.db.selectFrom('secret').selectAll().execute();
  assert.deepEqual(rows.map((row) => row.name).sort(), ['control key', 'key check', 'master key place', 'session key']);
  for (const row of rows.filter(({ name }) => name !== 'master key place')) assert.match(row.sealed_value, /^v1\./);
});

test('M-2 the encryption key lies beside an embedded database, readable by its owner alone, and another one is refused', async () => {
  const database = newDatabase();
  const options = { operator: {}, announceRootPassword: () => undefined };
  const manager = await startManager(database, {}, options);
  await manager[Symbol.asyncDispose]();
  const file = join(database.sqlite.path, '..', 'manager.key');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal(Buffer.from(await readFile(file, 'utf8'), 'base64').length, 32);
  await chmod(file, 0o644);
  await (await startManager(database, {}, options))[Symbol.asyncDispose]();
  assert.equal((await stat(file)).mode & 0o077, 0);
  await assert.rejects(
    startManager(database),
    /sealed with the key in .*manager\.key, and DRAGONFLY_ENCRYPTION_KEY does/,
  );
});

test('the second manager of one database is told what to copy, and makes no key of its own', async () => {
  const database = newDatabase();
  const manager = (directory: string, operator: OperatorSecrets = {}) =>
    startManager(
      database,
      { server: { encryptionKeyFile: join(dirname(database.sqlite.path), directory, 'manager.key') } },
      { operator, announceRootPassword: () => undefined },
    );
  await (await manager('first'))[Symbol.asyncDispose]();
  const key = join(dirname(database.sqlite.path), 'first', 'manager.key');
  const second = join(dirname(database.sqlite.path), 'second', 'manager.key');
  for (const operator of [{}, { encryptionSecret: 'a secret that is shared' }]) {
    await assert.rejects(manager('second', operator), (error: DragonflyError) => {
      assert.equal(error.code, 'FAILED_PRECONDITION');
      assert.ok(error.message.includes(`${hostname()}:${key}`), error.message);
      assert.match(error.hint ?? '', /^Copy .* or put its content into DRAGONFLY_ENCRYPTION_KEY/);
      return true;
    });
  }
  await assert.rejects(stat(second));
  await mkdir(dirname(second));
  await copyFile(key, second);
  await (await manager('second'))[Symbol.asyncDispose]();
  const encryptionKey = (await readFile(key, 'utf8')).trim();
  await (await manager('third', { encryptionKey }))[Symbol.asyncDispose]();
});

test('a secret that the managers share is enough: the key lies in the database, wrapped by it', async () => {
  const database = newDatabase();
  const start = (encryptionSecret: string) =>
    startManager(database, {}, { operator: { encryptionSecret }, announceRootPassword: () => undefined });
  await assert.rejects(start('short'), { code: 'CONFIG_INVALID' });
  for (let replica = 0; replica < 2; replica += 1) {
    await (await start('a secret that is shared'))[Symbol.asyncDispose]();
  }
  await assert.rejects(start('a secret that is not'), { code: 'FAILED_PRECONDITION' });
  const older = newDatabase();
  await (await startManager(older, {}, { operator: { rootPassword } }))[Symbol.asyncDispose](); // with a key file
  const operator = { encryptionSecret: 'a secret that is shared' };
  await (await startManager(older, {}, { operator }))[Symbol.asyncDispose]();
  await rm(join(dirname(older.sqlite.path), 'manager.key'));
  await (await startManager(older, {}, { operator }))[Symbol.asyncDispose]();
  await assert.rejects(stat(join(dirname(database.sqlite.path), 'manager.key')));
});

test('the operator’s token is made once and survives restarts', async () => {
  const database = newDatabase();
  const options = { operator: { token: 'operator-token', rootPassword } };
  await (await startManager(database, {}, options))[Symbol.asyncDispose]();
  await using manager = await startManager(database, {}, options);
  const client = new RestClient(manager.restPort, { authorization: 'Bearer operator-token' });
  assert.equal((await client.request('GET', '/oapi/v1/clusters')).status, 200);
});

test('a published example key in the configuration is reported', async () => {
  const warnings: string[] = [];
  const logger = Object.assign(Object.create(silentLogger) as typeof silentLogger, {
    warn: (text: string) => warnings.push(text),
  });
  await using manager = await startManager(
    newDatabase(),
    { auth: { jwt: { key: 'ZHJhZ29uZmx5' } } },
    { logger, registry: new Registry() },
  );
  assert.ok(manager.restPort > 0);
  assert.ok(warnings.some((text) => text.includes('auth.jwt.key')));
});
