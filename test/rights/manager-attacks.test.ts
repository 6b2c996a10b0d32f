/**
 * Attacks on the manager, of kinds that no other test has: rights that have ended, what one caller may take or make grow, lesser roles. As in
 * attacks.test.ts each is a row, and holds when what it is after does not happen.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { createLogger } from '../../src/core/process/logger.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Channels } from '../../src/rpc/channels.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { ListSchedulersRequest, ManagerDefinition, UpdateSchedulerRequest } from '../../gen/manager/v2/manager.ts';
import { ManagerReleasesDefinition, Release } from '../../gen/manager/v2/release.ts';
import { databaseConfig } from '../manager/support/engines.ts';
import { rootOf, rootPassword, startManager } from '../manager/support/manager-fixture.ts';
import { events, raw } from '../manager/support/raw-requests.ts';
import { RestClient } from '../manager/support/rest-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const password = 'long enough 1';
const secret = 'c0ffee-is-nobodys-business';

interface Lab {
  readonly manager: ManagerService;
  readonly root: RestClient;
  /** Makes a user with these rights only. */
  readonly user: (name: string, ...objects: string[]) => Promise<{ id: number; client: RestClient }>;
  readonly logFile: string;
}

interface Attack {
  readonly root: string;
  readonly what: string;
  readonly run: (lab: Lab) => Promise<void>;
}

const attacks: readonly Attack[] = [
  {
    root: 'who asks',
    what: 'a stream that was opened with a token goes on when the token has expired',
    run: async ({ manager, root }) => {
      const expires = new Date(Date.now() + 1500).toISOString();
      const { token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', {
        name: 'short',
        expired_at: expires,
        scopes: ['job'],
      });
      const stream = await events(manager, '/oapi/v1/events', token);
      await delay(1600);
      await root.ok('POST', '/api/v1/jobs', {
        type: 'preheat',
        args: { type: 'file', url: 'http://127.0.0.1:1/after' },
      });
      await stream.ends(3000);
      assert.equal(stream.text().includes('change'), false, stream.text());
    },
  },
  {
    root: 'who asks',
    what: 'a stream that was opened with a session goes on when the session has expired',
    run: async () => {
      await using short = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {
        auth: { jwt: { timeout: '2s' } },
      });
      const { token } = await new RestClient(short.restPort).ok<{ token: string }>('POST', '/api/v1/users/signin', {
        name: 'root',
        password: rootPassword,
      });
      const stream = await events(short, '/api/v1/events', token);
      await stream.ends(6000);
    },
  },
  {
    root: 'who asks',
    what: 'a role for events alone is told of traffic, tasks and users',
    run: async ({ manager, user, root }) => {
      const { client } = await user('listener', 'events');
      const stream = await events(manager, '/api/v1/events', tokenOf(client));
      await root.ok('PATCH', '/api/v1/users/1', { bio: String(Math.random()) });
      await root.ok('POST', '/api/v1/configs', { name: 'told', value: secret, user_id: 1 });
      await delay(1500);
      stream.close();
      assert.doesNotMatch(stream.text(), /event: (?:traffic|history|tasks|nodes|change)/);
    },
  },
  {
    root: 'who asks',
    what: 'the API by other spellings of its paths and methods',
    run: async ({ manager, root }) => {
      const before = (await root.ok<unknown[]>('GET', '/api/v1/users?per_page=1000')).length;
      const body = { name: 'smuggled', password };
      for (const path of [
        '//api/v1/users',
        '/api//v1/users',
        '/API/V1/users',
        '/api/v1/users/',
        '/api/v1/%75sers',
        '/api/v1/users;x=1',
        '/api/v1/users%2f',
        '/api/v1/../v1/users',
        '/oapi/v1/users',
        '/api/v1/users?access_token=x',
      ])
        for (const [method, headers] of [
          ['GET', {}],
          ['POST', {}],
          ['POST', { 'x-http-method-override': 'GET' }],
          ['GET', { 'x-original-url': '/healthy', 'x-rewrite-url': '/healthy' }],
          ['POST', { authorization: 'Bearer ' }],
          ['GET', { authorization: 'Bearer null', cookie: 'dragonfly_session=; jwt=' }],
        ] as const) {
          const { status, body: answer } = await raw(
            manager,
            method,
            path,
            { ...headers, 'content-type': 'application/json' },
            method === 'POST' ? JSON.stringify(body) : undefined,
          );
          // What is no path of the API is the console, which is for everybody.
          const isConsole = method === 'GET' && answer.startsWith('<!doctype html>');
          assert.ok(status >= 300 || isConsole, `${method} ${path} ${JSON.stringify(headers)}: ${status}`);
        }
      assert.equal((await root.ok<unknown[]>('GET', '/api/v1/users?per_page=1000')).length, before);
    },
  },
  {
    root: 'who asks',
    what: 'a token of an account that was disabled, deleted, or has lost its role',
    run: async ({ manager, root, user }) => {
      for (const end of ['disable', 'role', 'delete'] as const) {
        const { id } = await user(`ends-by-${end}`, 'jobs');
        const made = { name: end, expired_at: '2099-01-01T00:00:00Z', user_id: id };
        const { token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', made);
        const client = new RestClient(manager.restPort, { authorization: `Bearer ${token}` });
        await client.ok('GET', '/oapi/v1/jobs');
        if (end === 'disable') await root.ok('PATCH', `/api/v1/users/${id}`, { state: 'disable' });
        else if (end === 'role') await root.ok('DELETE', `/api/v1/users/${id}/roles/ends-by-role`);
        else await root.ok('DELETE', `/api/v1/users/${id}`);
        assert.ok((await client.request('GET', '/oapi/v1/jobs')).status >= 400, end);
      }
    },
  },
  {
    root: 'bounds',
    what: 'one user opens so many streams that nobody else gets one',
    run: async ({ manager, root, user }) => {
      const { client } = await user('greedy', 'events');
      const opened = await Promise.all(
        Array.from({ length: 520 }, () => events(manager, '/api/v1/events', tokenOf(client))),
      );
      try {
        const own = await events(manager, '/api/v1/events', tokenOf(root));
        assert.equal(own.status, 200);
        own.close();
      } finally {
        for (const stream of opened) stream.close();
      }
    },
  },
  {
    root: 'bounds',
    what: 'a stranger’s requests fill the database with what is recorded of them',
    run: async ({ manager, root }) => {
      const rows = async (): Promise<number> =>
        Number(
          (
            await manager.database.db
              .selectFrom('audit')
              .select((e) => e.fn.countAll().as('n'))
              .executeTakeFirstOrThrow()
          ).n,
        );
      const before = await rows();
      const anonymous = new RestClient(manager.restPort);
      for (let at = 0; at < 20; at += 1)
        await Promise.all(
          Array.from({ length: 50 }, (_, index) => anonymous.request('DELETE', `/api/v1/users/${at * 50 + index}`)),
        );
      await using channels = new Channels();
      const releases = createClient(ManagerReleasesDefinition, channels, `127.0.0.1:${manager.grpcPort}`);
      const digest = `sha256:${'a'.repeat(64)}`;
      const release = Release.fromPartial({
        name: 'x',
        version: 'v',
        contentDigest: digest,
        manifestTaskId: 'a'.repeat(64),
        manifestDigest: digest,
        replicas: 1,
        expiresAt: new Date('2099-01-01'),
      });
      for (let at = 0; at < 300; at += 1)
        await assert.rejects(releases.publishRelease({ release: { ...release, version: `v${at}` }, hostId: '' }));
      assert.ok((await rows()) - before <= 200, `${(await rows()) - before} rows`);
      await root.ok('PATCH', '/api/v1/users/1', { bio: 'recorded' });
      const [last] = await root.ok<{ actor_name: string; state: string }[]>('GET', '/api/v1/audits?per_page=1');
      assert.deepEqual([last?.actor_name, last?.state], ['root', 'SUCCESS'], 'what users do is recorded all the same');
    },
  },
  {
    root: 'bounds',
    what: 'whoever knows a name keeps its owner out by failing to sign in',
    run: async ({ manager, user }) => {
      await user('kept-out', 'jobs');
      const signIn = (from: string, word: string): Promise<number> =>
        raw(
          manager,
          'POST',
          '/api/v1/users/signin',
          { 'content-type': 'application/json' },
          JSON.stringify({ name: 'kept-out', password: word }),
          from,
        ).then(({ status }) => status);
      for (let guess = 0; guess < 12; guess += 1) await signIn('127.0.0.66', `guess ${guess}`);
      assert.equal(await signIn('127.0.0.66', password), 429, 'the guesser is slowed down');
      assert.equal(await signIn('127.0.0.1', password), 200, 'the owner is not');
    },
  },
  {
    root: 'bounds',
    what: 'a stranger’s words become names of metrics, and his configuration fills the database',
    run: async ({ manager }) => {
      await using channels = new Channels();
      const client = createClient(ManagerDefinition, channels, `127.0.0.1:${manager.grpcPort}`);
      const before = (await raw(manager, 'GET', '/metrics', {})).body.length;
      for (let at = 0; at < 600; at += 1)
        await client
          .listSchedulers(
            ListSchedulersRequest.fromPartial({
              hostname: `h${at}`,
              ip: '127.0.0.1',
              version: `v${at}`.padEnd(900, 'x'),
              commit: `c${at}`,
            }),
          )
          .catch(() => undefined);
      const grown = (await raw(manager, 'GET', '/metrics', {})).body.length - before;
      assert.ok(grown < 2 ** 20, `${grown} bytes of metrics`);
      const place = {
        hostname: 'big',
        ip: '127.0.0.1',
        port: 4321,
        schedulerClusterId: 1,
        features: ['schedule'],
      };
      const config = Buffer.from(JSON.stringify({ x: 'y'.repeat(8 * 2 ** 20) }));
      await client
        .updateScheduler(UpdateSchedulerRequest.fromPartial({ ...place, idc: '', location: '', config }))
        .catch(() => undefined);
      const kept = await manager.database.db
        .selectFrom('scheduler')
        .selectAll()
        .where('host_name', '=', 'big')
        .execute();
      assert.ok(JSON.stringify(kept).length < 2 ** 20, `${JSON.stringify(kept).length} bytes of configuration`);
    },
  },
  {
    root: 'bounds',
    what: 'long lists, pages and searches cost more than they bring',
    run: async ({ root }) => {
      const startMs = performance.now();
      for (const query of [
        'per_page=10000000&page=9007199254740991',
        `search=${'%25_'.repeat(80)}`,
        `search=${encodeURIComponent('\\'.repeat(200))}`,
        'page=1e308',
        'page=-1',
        'per_page=0',
        `name=${'x'.repeat(2000)}`,
      ])
        for (const path of [
          'users',
          'jobs',
          'audits',
          'schedulers',
          'applications',
          'releases',
          'nodes',
          'tasks',
          'certificates',
        ]) {
          const { status } = await root.request('GET', `/api/v1/${path}?${query}`);
          assert.ok(status < 500, `${path}?${query.slice(0, 40)}: ${status}`);
        }
      assert.ok(performance.now() - startMs < 30_000);
    },
  },
  {
    root: 'secrets',
    what: 'what is given to a job, a provider, a rule or by a token in a URL is in the log or in the answers to a lesser role',
    run: async ({ manager, root, user, logFile }) => {
      const url = `http://user:${secret}@127.0.0.1:1/file?token=${secret}&X-Amz-Signature=${secret}`;
      const args = {
        type: 'file',
        url,
        urls: [url],
        headers: { Authorization: `Bearer ${secret}`, Cookie: secret },
        username: 'u',
        password: secret,
      };
      await root.ok('POST', '/api/v1/jobs', { type: 'preheat', args: { ...args, urls: [] } });
      await root.ok('POST', '/api/v1/jobs', { type: 'delete_task', args: { url } });
      const image = {
        type: 'image',
        url: 'http://127.0.0.1:1/v2/a/manifests/b',
        username: 'u',
        password: secret,
        headers: { 'x-key': secret },
      };
      await root.ok('POST', '/api/v1/jobs', { type: 'preheat', args: image });
      await root.ok('POST', '/api/v1/oauth', {
        name: 'corp2',
        client_id: 'c',
        client_secret: secret,
        redirect_url: 'http://127.0.0.1/c',
        issuer: 'http://127.0.0.1:1',
      });
      await new RestClient(manager.restPort).request('GET', '/api/v1/users/signin/corp2');
      await new RestClient(manager.restPort).request('POST', `/oapi/v1/jobs?access_token=${secret}`, {});
      await new RestClient(manager.restPort).request('POST', '/api/v1/users/signin', {
        name: 'root',
        password: secret,
      });
      await delay(3000);
      const { client } = await user(
        'reader',
        'jobs',
        'audits',
        'oauth',
        'replication-rules',
        'events',
        'tasks',
        'nodes',
        'concerns',
      );
      for (const path of [
        'jobs?per_page=100',
        'audits?per_page=100',
        'oauth',
        'replication-rules',
        'tasks',
        'nodes',
        'concerns',
      ])
        assert.equal(
          JSON.stringify((await client.request('GET', `/api/v1/${path}`)).body).includes(secret),
          false,
          path,
        );
      for (const { id } of await client.ok<{ id: number }[]>('GET', '/api/v1/jobs?per_page=100'))
        assert.equal(JSON.stringify(await client.ok('GET', `/api/v1/jobs/${id}`)).includes(secret), false, `job ${id}`);
      assert.equal((await raw(manager, 'GET', '/metrics', {})).body.includes(secret), false, 'metrics');
      const log = readFileSync(logFile);
      const at = log.indexOf(secret);
      assert.equal(at, -1, log.subarray(Math.max(0, at - 200), at + 40).toString());
    },
  },
];

describe('attacks on the manager', { timeout: 240_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let lab: Lab;

  before(async () => {
    const directory = cleanup.use(await temporaryDirectory('df-manager-attacks-'));
    const logFile = directory.join('manager.log');
    const logger = createLogger('manager', {
      level: 'debug',
      file: { path: logFile, rotation: { maxBytes: 2 ** 28, maxAgeMs: 0, maxBackups: 0 } },
    });
    const database = databaseConfig({ sqlite: { path: directory.join('manager.db') } });
    const manager = cleanup.use(await startManager(database, {}, { logger }));
    const root = await rootOf(manager);
    const user = async (name: string, ...objects: string[]): Promise<{ id: number; client: RestClient }> => {
      const { id } = await root.ok<{ id: number }>('POST', '/api/v1/users', { name, password });
      await root.ok('DELETE', `/api/v1/users/${id}/roles/guest`);
      const permissions = objects.map((object) => ({ object, action: 'read' }));
      await root.ok('POST', '/api/v1/roles', { role: name, permissions });
      await root.ok('PUT', `/api/v1/users/${id}/roles/${name}`);
      return { id, client: await new RestClient(manager.restPort).signIn(name, password) };
    };
    lab = { manager, root, user, logFile };
  });
  after(() => cleanup.disposeAsync());

  for (const { root, what, run } of attacks) test(`${root}: ${what}`, () => run(lab));
});

function tokenOf(client: RestClient): string {
  const { authorization = '' } = client.headers;
  return authorization.slice('Bearer '.length);
}
