import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { SchedulerFixture } from './fixture.ts';

/** Sends the bytes as the request and half-closes; resolves with the gRPC status. */
function send(fixture: SchedulerFixture, name: string, requestStream: boolean, bytes: Uint8Array): Promise<number> {
  const { client } = fixture.channels.get(fixture.scheduler.addresses.grpc);
  const raw = (value: Buffer): Buffer => value;
  const options = { deadline: Date.now() + 30_000 };
  return new Promise((resolve) => {
    const call = client.makeBidiStreamRequest(`/scheduler.v2.Scheduler/${name}`, raw, raw, new Metadata(), options);
    call.on('data', () => undefined);
    call.on('error', (error: ServiceError) => resolve(error.code));
    call.on('end', () => resolve(0));
    call.write(Buffer.from(bytes));
    if (requestStream) call.write(Buffer.from(bytes));
    call.end();
  });
}

void it('no bytes harm the scheduler, whatever call they come with', { timeout: 400_000 }, async () => {
  await using fixture = await SchedulerFixture.start();
  const host = await fixture.host();
  const methods = Object.values(SchedulerDefinition.methods).filter(({ name }) => name !== 'HoldHost');
  // Prefixes of real messages reach deeper than noise does.
  const ids = Buffer.concat([field(1, host.id), field(2, 'c'.repeat(64)), field(3, 'peer')]);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.uint8Array({ maxLength: 64 }).map((noise) => Buffer.concat([ids, noise])),
    fc.tuple(fc.integer({ min: 4, max: 15 }), fc.uint8Array({ maxLength: 64 })).map(([member, noise]) => {
      return Buffer.concat([ids, field(member, Buffer.from(noise))]);
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...methods), bytes, async ({ name, requestStream }, message) => {
      const status = await send(fixture, name, requestStream, message);
      assert.notEqual(status, 4, `${name} hung`);
      assert.notEqual(status, 14, `${name} broke the connection`);
    }),
    { numRuns: 500 },
  );
  const peer = fixture.peer(await fixture.host()).register();
  assert.ok(await peer.next(), 'the scheduler still schedules');
});

/** A length-delimited field. */
function field(number: number, value: string | Buffer): Buffer {
  const content = Buffer.from(value);
  return Buffer.concat([Buffer.of((number << 3) | 2, content.length), content]);
}
