/** The certificate of a node, from a real manager that lets nobody in without one. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { Channels, type ChannelOptions } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Task } from '../../gen/common/v2/common.ts';
import { ManagerDefinition, SourceType } from '../../gen/manager/v2/manager.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { clientTls, serverTls } from '../../src/rpc/identity/open-identity.ts';
import { NodeIdentity, type NodeIdentityOptions } from '../../src/rpc/identity/node-identity.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { databaseConfig } from '../manager/support/engines.ts';
import { rootOf, startManager } from '../manager/support/manager-fixture.ts';
import type { RestClient } from '../manager/support/rest-client.ts';
import { recordingRelay } from '../support/recording-relay.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';

const taskId = 'b'.repeat(64);

describe('the certificate of a node', { timeout: 400_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let directory: TemporaryDirectory;
  let manager: ManagerService;
  let root: RestClient;
  let joinToken: string;
  let count = 0;

  before(async () => {
    directory = cleanup.use(await temporaryDirectory('identity-'));
    const database = databaseConfig({ sqlite: { path: directory.join('manager.db') } });
    manager = cleanup.use(await startManager(database, { security: { autoIssueCert: true, tlsPolicy: 'force' } }));
    root = await rootOf(manager);
    ({ token: joinToken } = await root.ok<{ token: string }>('POST', '/api/v1/join-tokens', {
      name: 'nodes',
      expired_at: '2099-01-01T00:00:00Z',
    }));
  });
  after(() => cleanup.disposeAsync());

  const managerAddress = (): string => `127.0.0.1:${manager.grpcPort}`;

  async function join(change: Partial<NodeIdentityOptions> = {}): Promise<NodeIdentity> {
    const identity = await NodeIdentity.open({
      path: directory.join(`node-${(count += 1)}/identity/node.pem`),
      managers: [managerAddress()],
      joinToken,
      authorityPem: undefined,
      names: { commonName: 'node', dnsNames: ['node'], ipAddresses: ['127.0.0.1'] },
      lifeMs: undefined,
      logger: silentLogger,
      ...change,
    });
    cleanup.use(identity);
    return identity;
  }

  const listSchedulers = async (tls: ChannelOptions['tls']): Promise<unknown> => {
    await using channels = new Channels({ tls });
    return await createClient(ManagerDefinition, channels, managerAddress()).listSchedulers(
      {
        sourceType: SourceType.PEER_SOURCE,
        hostname: 'node',
        ip: '127.0.0.1',
        version: '1',
        commit: '1',
        schedulerClusterId: 0,
      },
      { timeoutMs: 10_000 },
    );
  };

  test('lets a member talk to a manager that refuses everybody else', async () => {
    const { ca, cert, key } = await join();
    await listSchedulers({ ca, cert, key }).catch((error: { code: string }) => assert.equal(error.code, 'NOT_FOUND'));
    await assert.rejects(listSchedulers(undefined), { code: 'UNAVAILABLE' }, 'plain text');
    await assert.rejects(listSchedulers({ ca }), { code: 'UNAUTHENTICATED' }, 'TLS without a certificate');
  });

  test('is kept for this user alone, and needs no token as long as it holds', async () => {
    const path = directory.join('kept/node.pem');
    const first = await join({ path });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const again = await join({ path, joinToken: undefined, managers: [] });
    assert.deepEqual(again.cert, first.cert);
  });

  test('is asked for anew when the file is damaged or for other names', async () => {
    const path = directory.join('damaged/node.pem');
    const first = await join({ path });
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 300));
    const second = await join({ path });
    assert.notDeepEqual(second.cert, first.cert);
    const renamed = await join({
      path,
      names: { commonName: 'node', dnsNames: ['other'], ipAddresses: ['127.0.0.1'] },
    });
    assert.notDeepEqual(renamed.cert, second.cert);
  });

  test('is not to be had without a token, with a wrong one, or for the address of another', async () => {
    const [, fingerprint = ''] = /\.([0-9a-f]{64})$/.exec(joinToken) ?? [];
    await assert.rejects(join({ joinToken: undefined }), { code: 'CONFIG_INVALID', message: /join token/ });
    await assert.rejects(join({ joinToken: `wrong.${fingerprint}` }), { code: 'UNAUTHENTICATED' });
    const stranger = { commonName: 'node', dnsNames: [], ipAddresses: ['192.0.2.7'] };
    await assert.rejects(join({ names: stranger }), { code: 'PERMISSION_DENIED' });
  });

  test('a secret is not sent to somebody in the place of the manager', async () => {
    const seen: Buffer[] = [];
    const to = { host: '127.0.0.1', port: manager.grpcPort };
    const relay = cleanup.use(await recordingRelay({ host: '127.0.0.1', port: 0 }, to, seen));
    const [secret = ''] = joinToken.split('.');
    const managers = [`127.0.0.1:${relay.port}`];
    await assert.rejects(join({ managers, joinToken: `${secret}.${'0'.repeat(64)}` }), { code: 'PERMISSION_DENIED' });
    await assert.rejects(join({ joinToken: secret }), { code: 'CONFIG_INVALID', message: /in its place/ });
    assert.ok(seen.length > 0);
    assert.equal(Buffer.concat(seen).includes(secret), false);
  });

  /** A server with that identity, and how many streams it has open. */
  async function serve(identity: NodeIdentity): Promise<RpcServer> {
    const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { tls: serverTls(identity, 'force') });
    server.addService(SchedulerDefinition, {
      statTask: (request) => Promise.resolve(Task.fromPartial({ id: request.taskId })),
    });
    await server.start();
    return cleanup.use(server);
  }

  const serialOf = (identity: NodeIdentity, port: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const { ca, cert, key } = identity;
      const socket = connect({ host: '127.0.0.1', port, ca, cert, key, ALPNProtocols: ['h2'] }, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      }).on('error', reject);
    });

  test('is renewed without a restart: new connections show it, calls go on', async () => {
    const [owner, caller] = [await join(), await join()];
    const server = await serve(owner);
    const channels = cleanup.use(new Channels({ tls: clientTls(caller, 'force') }));
    const client = createClient(SchedulerDefinition, channels, server.address);
    const stat = async (): Promise<string> => (await client.statTask({ hostId: 'host', taskId })).id;
    assert.equal(await stat(), taskId);
    const before = await serialOf(caller, server.port);
    await Promise.all([owner.renew(), caller.renew()]);
    assert.notEqual(await serialOf(caller, server.port), before);
    assert.equal(await stat(), taskId);
  });

  test('of a short life is renewed by itself', async () => {
    const identity = await join({ lifeMs: 2_000 });
    const { promise: renewed, resolve } = Promise.withResolvers<void>();
    identity.onRenewed(resolve);
    const before = identity.cert;
    await renewed;
    assert.notDeepEqual(identity.cert, before);
  });

  test('that was revoked ends its connections, and gets no new ones in either direction', async () => {
    const [owner, bad] = [await join(), await join()];
    const server = await serve(owner);
    const channels = cleanup.use(new Channels({ tls: clientTls(bad, 'force') }));
    const client = createClient(SchedulerDefinition, channels, server.address);
    await client.statTask({ hostId: 'host', taskId });
    const { ca, cert, key } = bad;
    const open = connect({ host: '127.0.0.1', port: server.port, ca, cert, key, ALPNProtocols: ['h2'] });
    open.on('error', () => undefined).resume();
    await once(open, 'secureConnect');
    const closed = once(open, 'close');

    const serial = new X509Certificate(cert).serialNumber.toLowerCase();
    await root.ok('POST', `/api/v1/certificates/${serial}/revoke`);

    await owner.refreshRevocations();

    await closed;

    await assert.rejects(client.statTask({ hostId: 'host', taskId }, { timeoutMs: 10_000 }), { code: 'UNAVAILABLE' });
    const theirs = await serve(bad);
    const dialling = cleanup.use(new Channels({ tls: clientTls(owner, 'force') }));
    await assert.rejects(dialling.ready(theirs.address), { code: 'UNAVAILABLE' });
  });
});
