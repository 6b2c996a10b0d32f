import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { parseConfig } from '../../src/core/config/config.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Task } from '../../gen/common/v2/common.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { maxSilentConnections } from '../../src/rpc/limits.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';
import { recordingRelay } from '../support/recording-relay.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { TestAuthority } from './certificates.ts';

const request = { hostId: 'host', taskId: 'b'.repeat(64) };
const timeout = 120_000;

void describe('mutual TLS', () => {
  void it('lets in who has a certificate of the authority, and nobody else', { timeout }, async () => {
    const authority = await TestAuthority.create();
    const { ca } = authority;
    const server = RpcServer.create(
      { host: '127.0.0.1', port: 0 },
      { tls: { ca, ...(await authority.issue()) } },
    ).addService(SchedulerDefinition, { statTask: ({ taskId }) => Promise.resolve(Task.fromPartial({ id: taskId })) });
    await server.start();
    await using _server = server;
    const attempt = async (channels: Channels) => {
      await using _channels = channels;
      return await createClient(SchedulerDefinition, channels, server.address).statTask(request, { timeoutMs: 3_000 });
    };
    const member = await authority.issue();
    assert.equal((await attempt(new Channels({ tls: { ca, ...member } }))).id, request.taskId);

    const stranger = await TestAuthority.create('stranger');
    const refused = { code: 'UNAVAILABLE' };
    await assert.rejects(attempt(new Channels()), refused, 'without TLS');
    await assert.rejects(attempt(new Channels({ tls: { ca } })), refused, 'without a certificate');
    await assert.rejects(attempt(new Channels({ tls: { ca, ...(await stranger.issue()) } })), refused, 'of a stranger');
    await assert.rejects(attempt(new Channels({ tls: { ca: stranger.ca, ...member } })), refused, 'an unknown server');
  });

  void it('ends a connection with the certificate that was shown on it', { timeout }, async () => {
    const authority = await TestAuthority.create();
    const { ca } = authority;
    const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { tls: { ca, ...(await authority.issue()) } });
    await server.start();
    await using _server = server;
    const short = await authority.issue('127.0.0.1', 3_000);
    const socket = connectTls({ host: '127.0.0.1', port: server.port, ca, ...short, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    socket.on('error', () => undefined).resume();
    await once(socket, 'close');
    assert.ok(Date.now() >= Date.parse(new X509Certificate(short.cert).validTo), 'not before it has ended');
  });

  void it('refuses a server whose certificate is for another address', { timeout }, async () => {
    const authority = await TestAuthority.create();
    const { ca } = authority;
    const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { tls: await authority.issue('192.0.2.1') });
    await server.start();
    await using _server = server;
    await using channels = new Channels({ tls: { ca } });
    await assert.rejects(channels.ready(server.address), { code: 'UNAVAILABLE' });
    await using named = new Channels({ tls: { ca, serverName: 'localhost' } });
    await named.ready(server.address);
  });

  void it('lets those in who speak, however many keep silent', { timeout }, async () => {
    const authority = await TestAuthority.create();
    const { ca } = authority;
    const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { tls: { ca, ...(await authority.issue()) } });
    await server.start();
    await using _server = server;
    const silent: Socket[] = [];
    try {
      for (let count = 0; count < maxSilentConnections + 10; count += 1) {
        const socket = connect(server.port, '127.0.0.1').on('error', () => undefined);
        silent.push(socket);
        await once(socket, 'connect');
      }
      await using channels = new Channels({ tls: { ca, ...(await authority.issue()) } });
      await channels.ready(server.address);
      await waitFor('the oldest to be ended', () => silent[0]?.closed === true);
    } finally {
      for (const socket of silent) socket.destroy();
    }
  });

  void it('leaves nothing readable on the wire', { timeout }, async () => {
    const authority = await TestAuthority.create();
    const { ca } = authority;
    const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { tls: { ca, ...(await authority.issue()) } });
    server.addService(SchedulerDefinition, {
      statTask: () => Promise.resolve(Task.fromPartial({ id: 'known secret' })),
    });
    await server.start();
    await using _server = server;
    const seen: Buffer[] = [];
    const to = { host: '127.0.0.1', port: server.port };
    await using relay = await recordingRelay({ host: '127.0.0.1', port: 0 }, to, seen);
    {
      await using channels = new Channels({ tls: { ca, ...(await authority.issue()) } });
      const address = `127.0.0.1:${relay.port}`;
      const task = await createClient(SchedulerDefinition, channels, address).statTask(request);
      assert.equal(task.id, 'known secret');
    }
    const text = Buffer.concat(seen).toString('latin1');
    assert.ok(text.length > 500);
    assert.ok(!text.includes('known secret') && !text.includes(request.taskId));
  });

  void it('of a scheduler whose certificate cannot be read is fatal', { timeout }, async () => {
    await using directory = await temporaryDirectory();
    const path = directory.join('cert.pem');
    await writeFile(path, 'no certificate');
    const tls = (cert: string) => `server: { port: 0, tls: { caCert: ${cert}, cert: ${cert}, key: ${cert} } }`;
    const create = async (yaml: string) => {
      await using service = await SchedulerService.create(
        parseConfig(schedulerConfigSchema, yaml, 'scheduler.yaml').config,
      );
      await service.start();
    };
    await assert.rejects(create(tls(directory.join('absent.pem'))), { code: 'CONFIG_INVALID', message: /absent\.pem/ });
    await assert.rejects(create(tls(path)));
  });
});
