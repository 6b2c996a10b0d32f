import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { Metadata, status } from '@grpc/grpc-js';
import { Channels } from '../../src/rpc/channels.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { maxReflections } from '../../src/rpc/limits.ts';
import { fileOf, listServices, reflect } from '../support/reflection.ts';
import { waitFor } from '../support/wait-for.ts';

for (const version of ['v1', 'v1alpha']) {
  void it(`reflection ${version} tells the services and their files`, { timeout: 120_000 }, async () => {
    await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(SchedulerDefinition, {});
    await server.start();
    await using channels = new Channels();
    const questions = [listServices, fileOf('scheduler.v2.Scheduler')];
    const [services = '', file = ''] = await reflect(channels, server.address, questions, version);
    assert.match(services, /scheduler\.v2\.Scheduler/);
    assert.match(services, /grpc\.health\.v1\.Health/);
    assert.match(file, /AnnouncePeerRequest/);
  });
}

void it('questions that nobody ends are few', { timeout: 120_000 }, async () => {
  await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(SchedulerDefinition, {});
  await server.start();
  await using channels = new Channels();
  const raw = (bytes: Buffer): Buffer => bytes;
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const standing = Array.from({ length: maxReflections }, () =>
    channels.get(server.address).client.makeBidiStreamRequest(path, raw, raw, new Metadata()),
  );
  for (const stream of standing) {
    stream.on('error', () => undefined);
    stream.write(listServices);
    await once(stream, 'data');
  }
  await assert.rejects(reflect(channels, server.address, [listServices]), { code: status.RESOURCE_EXHAUSTED });
  standing[0]?.cancel();
  await waitFor('its place', () =>
    reflect(channels, server.address, [listServices]).then(
      () => true,
      () => false,
    ),
  );
  for (const stream of standing) stream.cancel();
});
