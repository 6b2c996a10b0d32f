/** Attacks on members and on the manager, of kinds that no other test has; as in attacks.test.ts each holds when what it is after does not happen. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createClient } from '../../src/rpc/client.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import type { MemberRole } from '../../src/rpc/server/caller.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { Task } from '../../gen/common/v2/common.ts';
import { ListSchedulersRequest, ManagerDefinition } from '../../gen/manager/v2/manager.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { databaseConfig } from '../manager/support/engines.ts';
import { rootOf, rootPassword, startManager, testConfig } from '../manager/support/manager-fixture.ts';
import { RestClient } from '../manager/support/rest-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { certificateFor } from './certificates.ts';

const input = { security: { autoIssueCert: true, tlsPolicy: 'force' } };

interface Lab {
  readonly manager: ManagerService;
  readonly certificateOf: (role: MemberRole) => ReturnType<typeof certificateFor>;
}

interface Attack {
  readonly root: string;
  readonly what: string;
  readonly run: (lab: Lab) => Promise<void>;
}

const attacks: readonly Attack[] = [
  {
    root: 'certificates and roles',
    what: 'a broken node takes the port of a scheduler, or of the manager, and shows its own certificate there',
    run: async ({ certificateOf }) => {
      await using channels = new Channels({ tls: await certificateOf('seed') });
      const isTaken = async (role: MemberRole, as: 'scheduler' | 'manager'): Promise<boolean> => {
        const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { tls: await certificateOf(role) });
        server.addService(SchedulerDefinition, { statTask: () => Promise.resolve(Task.fromPartial({ id: 'known' })) });
        server.addService(ManagerDefinition, { listSchedulers: () => Promise.resolve({ schedulers: [] }) });
        await server.start();
        await using _server = server;
        const address = `127.0.0.1:${server.port}`;
        const call =
          as === 'scheduler'
            ? createClient(SchedulerDefinition, channels, address).statTask({ hostId: 'h', taskId: 'a'.repeat(64) })
            : createClient(ManagerDefinition, channels, address).listSchedulers(
                ListSchedulersRequest.fromPartial({ hostname: 'h', ip: '127.0.0.1', version: '1', commit: 'c' }),
              );
        return await call.then(
          () => true,
          ({ message }: { message: string }) => {
            assert.ok(role !== as, message);
            return false;
          },
        );
      };
      for (const role of ['peer', 'seed', 'manager'] as const)
        assert.equal(await isTaken(role, 'scheduler'), false, role);
      for (const role of ['peer', 'seed', 'scheduler'] as const)
        assert.equal(await isTaken(role, 'manager'), false, role);
      assert.equal(await isTaken('scheduler', 'scheduler'), true);
      assert.equal(await isTaken('manager', 'manager'), true);
    },
  },
  {
    root: 'bounds',
    what: 'names of members that every object has, and values deeper than any stack, change what others are',
    run: async ({ manager }) => {
      const base = `http://127.0.0.1:${manager.restPort}`;
      const root = await rootOf(manager);
      const { token } = await root.ok<{ token: string }>('POST', '/api/v1/users/signin', {
        name: 'root',
        password: rootPassword,
      });
      const texts = [
        '{"name":"x","__proto__":{"state":"enable","isAdmin":true},"constructor":{"prototype":{"polluted":true}}}',
        `{"name":"y","config":${'['.repeat(200_000)}${']'.repeat(200_000)}}`,
        `{"name":"z","config":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
        `{"__proto__":null,"name":${JSON.stringify('n'.repeat(2 ** 20))}}`,
      ];
      for (const path of ['configs', 'applications', 'clusters', 'users', 'roles', 'jobs'])
        for (const body of texts) {
          const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
          const { status } = await fetch(`${base}/api/v1/${path}`, { method: 'POST', headers, body });
          assert.ok(status < 500, `${path}: ${status}`);
        }
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
      assert.equal(({} as { isAdmin?: unknown }).isAdmin, undefined);
      await root.ok('GET', '/api/v1/users');
    },
  },
  {
    root: 'who asks',
    what: 'a guesser of passwords calls himself by another address each time',
    run: async ({ manager }) => {
      const client = new RestClient(manager.restPort);
      const statuses = new Set<number>();
      for (let guess = 0; guess < 33; guess += 1) {
        const from = `10.0.${guess}.1`;
        const headers = { 'x-forwarded-for': from, 'x-real-ip': from, forwarded: `for=${from}` };
        const body = { name: `nobody${guess}`, password: 'x' };
        statuses.add((await client.request('POST', '/api/v1/users/signin', body, headers)).status);
      }
      assert.ok(statuses.has(429), [...statuses].join(' '));
    },
  },
];

describe('attacks on members and the manager', { timeout: 120_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let lab: Lab;

  before(async () => {
    const directory = cleanup.use(await temporaryDirectory('df-attacks-'));
    const database = databaseConfig({ sqlite: { path: directory.join('manager.db') } });
    const manager = cleanup.use(await startManager(database, input));
    const config = testConfig(database, input);
    lab = { manager, certificateOf: (role) => certificateFor(role, '127.0.0.1', { manager, config }) };
  });
  after(() => cleanup.disposeAsync());

  for (const { root, what, run } of attacks) test(`${root}: ${what}`, () => run(lab));
});
