import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Channels } from '../../src/rpc/channels.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { fileOf, listServices, reflect } from '../support/reflection.ts';

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
