import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { Channels } from '../../src/rpc/channels.ts';
import { SchedulerDefinition } from '../../src/rpc/generated/scheduler/v2/scheduler.ts';
import { RpcServer } from '../../src/rpc/server.ts';

/** Field 7 (list_services) and field 4 (file_containing_symbol) of ServerReflectionRequest, both texts. */
const listServices = Buffer.of(0x3a, 0);
const fileOf = (symbol: string): Buffer => Buffer.concat([Buffer.of(0x22, symbol.length), Buffer.from(symbol)]);

for (const version of ['v1', 'v1alpha']) {
  void it(`reflection ${version} tells the services and their files`, { timeout: 120_000 }, async () => {
    await using server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(SchedulerDefinition, {});
    await server.start();
    await using channels = new Channels();
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const raw = (bytes: Buffer): Buffer => bytes;
    const call = channels.get(server.address).client.makeBidiStreamRequest(path, raw, raw, new Metadata());
    const answers: string[] = [];
    const ended = new Promise<void>((resolve, reject) => call.on('end', resolve).on('error', reject));
    call.on('data', (bytes: Buffer) => answers.push(bytes.toString('latin1')));
    call.write(listServices);
    call.write(fileOf('scheduler.v2.Scheduler'));
    call.end();
    await ended;
    assert.match(answers[0] ?? '', /scheduler\.v2\.Scheduler/);
    assert.match(answers[0] ?? '', /grpc\.health\.v1\.Health/);
    assert.match(answers[1] ?? '', /AnnouncePeerRequest/);
  });
}
