/**
 * A cluster under `force` with nothing but certificates its manager issued: D-1 and DF2-13 of the security requirements.
 * A relay in front of every port records what passes.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { parseConfig } from '../../src/core/config/config.ts';
import { taskId } from '../../src/core/ids.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient, type RpcClient } from '../../src/rpc/client.ts';
import type { ServiceDefinition } from '../../src/rpc/definition.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { ManagerDefinition, SourceType } from '../../gen/manager/v2/manager.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { HealthDefinition } from '../../gen/grpc/health/v1/health.ts';
import { clientMaterial, identityPath, loadIdentity } from '../../src/rpc/identity/identity-file.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';
import { databaseConfig } from '../manager/support/engines.ts';
import { rootOf, startManager } from '../manager/support/manager-fixture.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { recordingRelay } from '../support/recording-relay.ts';

const pattern = 'a sentence that must never be read on the wire. ';
const content = Buffer.alloc(9 * 2 ** 20, pattern);

/** Services listen here, and are reached at the other address, where relays listen on the same ports. */
const [inside, outside] = ['127.0.0.1', '127.0.0.2'];

describe('force, with issued certificates', { timeout: 400_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  const seen: Buffer[] = [];
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let manager: ManagerService;
  let scheduler: SchedulerService;
  let security: { autoIssueCert: true; tlsPolicy: 'force'; joinToken: string };
  let [parent, child]: Daemon[] = [];

  async function relay(port: number): Promise<void> {
    cleanup.use(await recordingRelay({ host: outside, port }, { host: inside, port }, seen));
  }

  const portOf = (address: string | undefined): number => Number(address?.split(':').at(-1));

  async function startDaemon(name: string, seed: boolean): Promise<Daemon> {
    const daemon = await swarm.startDaemon(name, {
      seed,
      schedulers: [],
      adjust: (config) => ({
        ...config,
        workHome: swarm.directory.join(name),
        host: { ...config.host, advertiseIP: outside },
        scheduler: {
          ...config.scheduler,
          manager: {
            ...config.scheduler.manager,
            enable: true,
            netAddrs: [{ type: 'tcp' as const, addr: `${outside}:${manager.grpcPort}` }],
          },
        },
        security: { ...config.security, ...security },
      }),
    });
    await Promise.all([relay(portOf(daemon.service.addresses.peer)), relay(portOf(daemon.service.addresses.upload))]);
    return daemon;
  }

  before(async () => {
    [swarm, origin] = [cleanup.use(await LocalSwarm.create()), cleanup.use(await HttpOrigin.start())];
    manager = cleanup.use(
      await startManager(databaseConfig({ sqlite: { path: swarm.directory.join('manager.db') } }), {
        // Every member is reached at an address that is not the one it calls from.
        security: { autoIssueCert: true, tlsPolicy: 'force', certSpec: { ipAddresses: [outside] } },
      }),
    );
    await relay(manager.grpcPort);
    const root = await rootOf(manager);
    const { token } = await root.ok<{ token: string }>('POST', '/api/v1/join-tokens', {
      name: 'all',
      expired_at: '2099-01-01T00:00:00Z',
    });
    security = { autoIssueCert: true, tlsPolicy: 'force', joinToken: token };
    const yaml = JSON.stringify({
      server: { port: 0, listenIP: inside, advertiseIP: outside, cacheDir: swarm.directory.join('scheduler') },
      manager: { addr: `${outside}:${manager.grpcPort}` },
      security,
    });
    const { config } = parseConfig(schedulerConfigSchema, yaml, 'scheduler.yaml');
    scheduler = await SchedulerService.create(config, { logger: silentLogger });
    cleanup.use(scheduler);
    await scheduler.start();
    await relay(scheduler.port);
    parent = await startDaemon('seed', true);
    child = await startDaemon('peer', false);
  });
  after(() => cleanup.disposeAsync());

  test('D-1: a download crosses the cluster, and a relay in front of everything reads nothing of it', async () => {
    assert.ok(parent && child);
    const url = origin.add('/secret', { content });
    await swarm.download(parent, { url });
    const outputPath = swarm.directory.join('out');
    const receipt = await swarm.download(child, { url, outputPath });
    assert.equal(receipt.bytesFromOrigin, 0, 'all comes from the seed');
    assert.deepEqual(readFileSync(outputPath), content);
    const all = Buffer.concat(seen);
    assert.ok(all.length > content.length, 'it went through the relays');
    const [secret = ''] = security.joinToken.split('.');
    for (const text of [pattern, taskId({ url }), '/secret', secret, 'hostname'])
      assert.equal(all.includes(text), false, text);
  });

  test('DF2-13: without a certificate nobody gets anywhere, in plain text or in TLS', async () => {
    const ca = Buffer.from((await rootCertificate()) ?? '');
    const attempts: [string, number][] = [
      ['manager', manager.grpcPort],
      ['scheduler', scheduler.port],
      ['daemon', portOf(parent?.service.addresses.peer)],
    ];
    for (const [name, port] of attempts) {
      for (const tls of [undefined, { ca }]) {
        await using channels = new Channels({ tls });
        const call = <S extends ServiceDefinition>(service: S): RpcClient<S> =>
          createClient(service, channels, `${inside}:${port}`);
        const refused = (error: { code: string }): boolean => ['UNAVAILABLE', 'UNAUTHENTICATED'].includes(error.code);
        await assert.rejects(call(HealthDefinition).check({ service: '' }, { timeoutMs: 10_000 }), refused, name);
        if (name === 'daemon')
          await assert.rejects(call(DfdaemonUploadDefinition).statLocalTask({ taskId: 'a'.repeat(64) }), refused);
      }
    }
    const pieces = connect(portOf(parent?.service.addresses.upload), inside).on('error', () => undefined);
    pieces.write(Buffer.alloc(200, 1));
    let answer = Buffer.alloc(0);
    pieces.on('data', (chunk: Buffer) => (answer = Buffer.concat([answer, chunk])));
    await once(pieces, 'close');
    assert.match(answer.toString('latin1'), /TLS only/);
  });

  test('a member speaks for itself alone, at the scheduler, at the manager and at other nodes', async () => {
    const identity = await loadIdentity(identityPath(swarm.directory.join('peer')));
    assert.ok(identity && parent && child);
    await using channels = new Channels({ tls: clientMaterial(identity) });
    const at = <S extends ServiceDefinition>(service: S, port: number): RpcClient<S> =>
      createClient(service, channels, `${inside}:${port}`);
    const [schedulerRpc, managerRpc] = [
      at(SchedulerDefinition, scheduler.port),
      at(ManagerDefinition, manager.grpcPort),
    ];
    const node = at(DfdaemonUploadDefinition, portOf(parent.service.addresses.peer));
    const [seedId, ownId] = [parent.service.identity.hostId, child.service.identity.hostId];
    const hosts = scheduler.brain.hosts.list();
    const seedHost = hosts.find(({ id }) => id === seedId);
    const ownHost = hosts.find(({ id }) => id === ownId);
    assert.ok(seedHost && ownHost);
    const task = 'a'.repeat(64);
    const peer = { hostId: seedId, taskId: task, peerId: 'forged' };
    const scheduled = { sourceType: SourceType.SCHEDULER_SOURCE, hostname: 'forged', ip: outside, port: 8002 };
    const seeded = { sourceType: SourceType.SEED_PEER_SOURCE, hostname: 'seed', ip: outside };
    const refused: Record<string, () => Promise<unknown>> = {
      'AnnounceHost of another': () =>
        schedulerRpc.announceHost({ host: { ...seedHost, port: 1 }, interval: undefined }),
      'AnnounceHost as a seed': () => schedulerRpc.announceHost({ host: { ...ownHost, type: 1 }, interval: undefined }),
      'DeleteHost of another': () => schedulerRpc.deleteHost({ hostId: seedId }),
      'DeleteTask of another': () => schedulerRpc.deleteTask({ hostId: seedId, taskId: task }),
      'AnnounceTasks of another': () => schedulerRpc.announceTasks({ hostId: seedId, holdings: [] }),
      'AnnouncePeer of another': () =>
        toTheEnd(
          schedulerRpc.announcePeer(
            only({
              ...peer,
              request: {
                $case: 'registerPeerRequest' as const,
                value: { download: Download.fromPartial({ url: 'http://x/y' }) },
              },
            }),
          ),
        ),
      UpdateScheduler: () =>
        managerRpc.updateScheduler({
          ...scheduled,
          schedulerClusterId: 1,
          features: ['schedule'],
          config: new Uint8Array(),
        }),
      'KeepAlive as a scheduler': () => managerRpc.keepAlive(only({ ...scheduled, clusterId: 1 })),
      'KeepAlive as a seed': () => managerRpc.keepAlive(only({ ...seeded, clusterId: 1 })),
      DeleteSeedPeer: () => managerRpc.deleteSeedPeer({ ...seeded, seedPeerClusterId: 1 }),
      'DownloadTask at a node': () =>
        toTheEnd(node.downloadTask({ download: Download.fromPartial({ url: 'http://x/y' }) })),
      'DeleteTask at a node': () => node.deleteTask({ taskId: task }),
      'StatLocalTask at a node': () => node.statLocalTask({ taskId: task }),
    };
    for (const [name, call] of Object.entries(refused)) await assert.rejects(call, { code: 'PERMISSION_DENIED' }, name);
    await schedulerRpc.announceHost({ host: ownHost, interval: undefined });
  });

  test('a certificate that is revoked at the manager loses its connections to every service', async () => {
    const identity = await loadIdentity(identityPath(swarm.directory.join('peer')));
    assert.ok(identity);
    const { ca, cert, key } = clientMaterial(identity);
    const ports = [scheduler.port, portOf(parent?.service.addresses.peer), portOf(parent?.service.addresses.upload)];
    const open = await Promise.all(
      [...ports, manager.grpcPort].map(async (port) => {
        const socket = connectTls({ host: inside, port, ca, cert, key, ALPNProtocols: ['h2'] });
        const end = once(socket.on('error', () => undefined).resume(), 'close');
        await once(socket, 'secureConnect');
        return { end };
      }),
    );
    const root = await rootOf(manager);
    const serial = identity.certificate.serialNumber.toLowerCase();
    await root.ok('POST', `/api/v1/certificates/${serial}/revoke`);
    await Promise.all(open.map(({ end }) => end));
  });

  async function rootCertificate(): Promise<string | undefined> {
    const root = await rootOf(manager);
    return (await root.ok<{ certificate: string }>('GET', '/api/v1/certificates/authority')).certificate;
  }
});

async function* only<T>(message: T): AsyncGenerator<T> {
  yield await Promise.resolve(message);
}

async function toTheEnd(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers);
}
