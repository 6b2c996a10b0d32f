/**
 * Every call of every port, by every role, with messages nobody sends: whatever comes, the service answers with a status that says what is wrong, nobody can do
 * what his role does not allow, memory stays bounded, and all goes on. Then the same for the API and its users.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { status } from '@grpc/grpc-js';
import { parseConfig } from '../../src/core/config/config.ts';
import { taskId } from '../../src/core/ids.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { uploadAccess } from '../../src/dfdaemon/rpc/upload-access.ts';
import { objects as rightsObjects } from '../../src/manager/access/objects.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { managerAccess, watchAccess } from '../../src/manager/rpc/manager-access.ts';
import type { MemberRole } from '../../src/rpc/server/caller.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { ManagerDefinition } from '../../gen/manager/v2/manager.ts';
import { ManagerWatchDefinition } from '../../gen/manager/v2/watch.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { SchedulerLiveDefinition } from '../../gen/scheduler/v2/live.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { liveAccess, schedulerAccess } from '../../src/scheduler/scheduler-access.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';
import { databaseConfig } from '../manager/support/engines.ts';
import { rootOf, startManager, testConfig } from '../manager/support/manager-fixture.ts';
import { RestClient } from '../manager/support/rest-client.ts';
import { violations, type JsonSchema } from '../manager/support/schema-violations.ts';
import { firstFuzzSeed, FuzzRandom, fuzzSeconds, mutateMessage } from '../support/fuzz.ts';
import { brokenOff, call, hostileRequest, silent, targetsOf, type Target } from '../support/fuzz-calls.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { certificateFor } from './certificates.ts';

const roles: readonly MemberRole[] = ['peer', 'seed', 'scheduler', 'manager'];
const maxGrowthBytes = 200 * 2 ** 20;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What is still held: the process as a whole keeps for a while what was given back. */
function keptBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** What the border says before anybody looks at rights: the message could not be read, or there is too much of it. */
const unread: readonly number[] = [
  status.INTERNAL,
  status.INVALID_ARGUMENT,
  status.RESOURCE_EXHAUSTED,
  status.UNIMPLEMENTED,
];

type Roles = readonly string[] | undefined;
interface Attempt extends Target {
  readonly role: MemberRole;
  readonly isAllowed: boolean;
}

describe(`nobody breaks anything, from seed ${firstFuzzSeed}`, { timeout: (2 * fuzzSeconds + 300) * 1000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let swarm: LocalSwarm;
  let manager: ManagerService;
  let scheduler: SchedulerService;
  let daemon: Daemon;
  let url = '';
  const database = () => databaseConfig({ sqlite: { path: swarm.directory.join('manager.db') } });
  const input = { security: { autoIssueCert: true, tlsPolicy: 'force' } };

  before(async () => {
    swarm = cleanup.use(await LocalSwarm.create());
    const origin = cleanup.use(await HttpOrigin.start());
    url = origin.add('/file', { content: Buffer.alloc(300_000, 'well-formed ') });
    manager = cleanup.use(await startManager(database(), input));
    const root = await rootOf(manager);
    const joining = { name: 'all', expired_at: '2099-01-01T00:00:00Z' };
    const { token: joinToken } = await root.ok<{ token: string }>('POST', '/api/v1/join-tokens', joining);
    const security = { autoIssueCert: true, tlsPolicy: 'force' as const, joinToken };
    const yaml = JSON.stringify({
      server: { port: 0, listenIP: '127.0.0.1', advertiseIP: '127.0.0.1', cacheDir: swarm.directory.join('scheduler') },
      manager: { addr: `127.0.0.1:${manager.grpcPort}` },
      security,
    });
    const { config } = parseConfig(schedulerConfigSchema, yaml, 'scheduler.yaml');
    scheduler = cleanup.use(await SchedulerService.create(config, { logger: silentLogger }));
    await scheduler.start();
    daemon = await swarm.startDaemon('node', {
      schedulers: [scheduler.addresses.grpc],
      adjust: (own) => ({
        ...own,
        workHome: swarm.directory.join('node'),
        // Names and addresses that come about by chance are not asked.
        download: { ...own.download, egress: { allow: ['127.0.0.1/32'], deny: [] } },
        scheduler: {
          ...own.scheduler,
          manager: {
            ...own.scheduler.manager,
            netAddrs: [{ type: 'tcp' as const, addr: `127.0.0.1:${manager.grpcPort}` }],
            enable: true,
          },
        },
        security: { ...own.security, ...security },
      }),
    });
    await swarm.download(daemon, { url });
  });
  after(() => cleanup.disposeAsync());

  test('calls of members', async (t) => {
    const attempts: Attempt[] = [];
    for (const role of roles) {
      const tls = await certificateFor(role, '127.0.0.1', { manager, config: testConfig(database(), input) });
      const channels = cleanup.use(new Channels({ tls }));
      const add = (address: string, service: Parameters<typeof targetsOf>[1], access: object): void => {
        const allowed = (target: Target): boolean => {
          const key = Object.entries(service.methods).find(([, method]) => method === target.method)?.[0] ?? '';
          return ((access as Record<string, Roles>)[key] ?? []).includes(role);
        };
        const { client } = channels.get(address);
        for (const target of targetsOf(client, service)) attempts.push({ ...target, role, isAllowed: allowed(target) });
      };
      add(daemon.service.addresses['peer'] ?? '', DfdaemonUploadDefinition, uploadAccess);
      add(scheduler.addresses.grpc, SchedulerDefinition, schedulerAccess);
      add(scheduler.addresses.grpc, SchedulerLiveDefinition, liveAccess);
      add(`127.0.0.1:${manager.grpcPort}`, ManagerDefinition, managerAccess);
      add(`127.0.0.1:${manager.grpcPort}`, ManagerWatchDefinition, watchAccess);
    }
    const known = { taskId: taskId({ url }), url };
    const startBytes = keptBytes();
    const overflows: string[] = [];
    const hear = ({ name, message }: Error): void => void (/Overflow/.test(name) && overflows.push(message));
    process.on('warning', hear);
    cleanup.defer(() => void process.off('warning', hear));
    const endMs = performance.now() + fuzzSeconds * 1000;
    let [seed, went] = [firstFuzzSeed, 0];
    const fuzz = async (): Promise<void> => {
      // On a busy machine few calls fit into the time, and one at least must go well.
      while (performance.now() < endMs || (went === 0 && performance.now() < endMs + 60_000)) {
        const own = (seed += 1);
        const random = new FuzzRandom(own);
        const attempt = random.pick(attempts as [Attempt, ...Attempt[]]);
        const bytes = hostileRequest(random, attempt.method, known);
        if (!bytes) continue;
        const code = await call(attempt, bytes);
        const what = `${attempt.role}, ${attempt.method.name}: ${status[code] ?? code}, seed ${own}`;
        assert.notEqual(code, brokenOff, what);
        assert.notEqual(code, status.UNKNOWN, what);
        if (!attempt.isAllowed)
          assert.ok(code === status.PERMISSION_DENIED || code === silent || unread.includes(code), what);
        else if (code === status.OK) went += 1;
      }
    };
    await Promise.all(Array.from({ length: 8 }, fuzz));
    assert.deepEqual(overflows, [], 'no timer is set for longer than it can wait');
    assert.ok(went > 0, 'no call went well: the fuzzer is too rough');
    const grownBytes = keptBytes() - startBytes;
    t.diagnostic(`${startBytes} bytes were held before, ${grownBytes} more afterwards`);
    assert.ok(grownBytes < maxGrowthBytes, `${grownBytes} bytes more`);
    // Schedulers and managers may delete what a node holds, and have done so perhaps.
    await swarm.download(daemon, { url });
  });

  test('requests to the API', async () => {
    const root = await rootOf(manager);
    const password = 'long enough 1';
    const account = async (name: string, rights: readonly string[]): Promise<RestClient> => {
      const { id } = await root.ok<{ id: number }>('POST', '/api/v1/users', { name, password });
      if (rights.length > 0) {
        await root.ok('DELETE', `/api/v1/users/${id}/roles/guest`);
        const permissions = rights.map((object) => ({ object, action: '*' }));
        await root.ok('POST', '/api/v1/roles', { role: name, permissions });
        await root.ok('PUT', `/api/v1/users/${id}/roles/${name}`);
      }
      return new RestClient(manager.restPort).signIn(name, password);
    };
    const document = await root.ok<Document>('GET', '/swagger/doc.json');
    const operations = operationsOf(document);
    // Whoever may change accounts and roles ends himself and the others.
    const things = rightsObjects.filter((object) => !['users', 'roles', 'permissions'].includes(object));
    /** Names of what each may change; the first may nothing at all, and guests may read. */
    const people: readonly [string, RestClient, readonly string[]][] = [
      ['nobody', new RestClient(manager.restPort), []],
      ['guest-1', await account('guest-1', []), []],
      ['clerk', await account('clerk', ['applications', 'configs']), ['applications', 'configs']],
      ['keeper', await account('keeper', things), things],
    ];
    const endMs = performance.now() + fuzzSeconds * 1000;
    let seed = firstFuzzSeed;
    while (performance.now() < endMs) {
      const own = (seed += 1);
      const random = new FuzzRandom(own);
      const { method, path, bodies } = random.pick(operations);
      const [name, client, rights] = random.pick(people as [(typeof people)[number], ...typeof people]);
      const asked = path.replaceAll(/\{[^}]+\}/g, () =>
        random.pick(['1', '0', '-1', 'x', '99999999999999999999', '%00', 'a'.repeat(600)]),
      );
      const body = bodies.length > 0 ? mutateMessage(random, random.pick(bodies as [object, ...object[]])) : undefined;
      const { status: answered } = await client.request(method, asked, body);
      const what = `${name}: ${method} ${asked} ${JSON.stringify(body)?.slice(0, 300)}: ${answered}, seed ${own}`;
      assert.ok(answered < 500, what);
      const object = objectOf(path);
      // Of some paths the right has another name.
      const mayWrite = rights.includes(object) || object === 'users' || name === 'keeper';
      if (method !== 'GET' && !mayWrite) assert.ok(answered >= 400, what);
    }
    await root.ok('GET', '/api/v1/users');
  });
});

function objectOf(path: string): string {
  return /^\/api\/v1\/([^/]+)/.exec(path)?.[1] ?? '';
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> };
}

interface Asked {
  readonly method: string;
  readonly path: string;
  /** Each forbidden in one place: what is changed further is near to what is right. */
  readonly bodies: readonly object[];
}

function operationsOf({ paths, components }: Document): [Asked, ...Asked[]] {
  const resolve = (reference: string): JsonSchema => components.schemas[reference.split('/').at(-1) ?? ''] ?? {};
  // Streams of events do not end; signing in is for a few requests a minute.
  const left = /events|users\/(?:signin|signup|signout|refresh_token)|reset_password/;
  return Object.entries(paths).flatMap(([path, methods]) =>
    left.test(path)
      ? []
      : Object.entries(methods).map(([method, { requestBody }]) => {
          const schema = requestBody?.content['application/json']?.schema;
          const bodies = schema
            ? [...violations(schema, resolve)].filter((body) => typeof body === 'object' && body !== null)
            : [];
          return { method: method.toUpperCase(), path, bodies };
        }),
  ) as unknown as [Asked, ...Asked[]];
}
