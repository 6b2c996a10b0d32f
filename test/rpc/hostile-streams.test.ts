/** A caller who speaks HTTP/2 by hand, opens what he can and says as little as he can. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { after, test } from 'node:test';
import { Task } from '../../gen/common/v2/common.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { Owned } from '../../src/core/process/lifecycle.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { callerShareOfUnfinished, maxRefusedOfConnection, maxUnfinishedBytes } from '../../src/rpc/limits.ts';
import { RpcServer, type RpcServerOptions } from '../../src/rpc/server/server.ts';
import { waitFor } from '../support/wait-for.ts';

const owned = new Owned();
after(() => owned[Symbol.asyncDispose]());
const peer = { hostId: '127.0.0.1-host', taskId: 'a'.repeat(64), peerId: '127.0.0.1-host-1' };

async function serve(options: RpcServerOptions = {}) {
  const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, options).addService(SchedulerDefinition, {
    statTask: async ({ taskId }) => Task.fromPartial({ id: taskId }),
  });
  await server.start();
  owned.add('server', server);
  const channels = owned.add('channels', new Channels());
  const session = connect(`http://${server.address}`);
  session.on('error', () => undefined);
  owned.add('session', { [Symbol.asyncDispose]: async () => session.destroy() });
  await once(session, 'connect');
  return { session, client: createClient(SchedulerDefinition, channels, server.address) };
}

/** The header of a call, and nothing behind it. */
function begin(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': '/scheduler.v2.Scheduler/StatTask',
      'content-type': 'application/grpc',
      te: 'trailers',
    },
    { endStream: false },
  );
  stream.on('error', () => undefined);
  return stream.resume();
}

test('a call that says nothing takes a place like any other, until it ends', async () => {
  const { session, client } = await serve({ limits: { calls: 8 } });
  const silent = [begin(session), begin(session)];
  const refused = (): Promise<boolean> =>
    client.statTask(peer).then(
      () => false,
      ({ code }: { code: string }) => code === 'RESOURCE_EXHAUSTED',
    );
  await waitFor('the places to be taken', refused);
  for (const stream of silent) stream.close(constants.NGHTTP2_CANCEL);
  await waitFor('the places to be free', async () => !(await refused()));
});

test('whoever goes on asking for far more than he is given is cut off, and others are served', async () => {
  const { session, client } = await serve({ limits: { calls: 8 } });
  const closed = once(session, 'close');
  for (let count = 0; count < maxRefusedOfConnection + 8; count += 1) begin(session);
  await closed;
  await waitFor('a place', () =>
    client.statTask(peer).then(
      () => true,
      () => false,
    ),
  );
});

test('messages that begin and do not end are bounded in bytes', async () => {
  const { session, client } = await serve();
  const lengthBytes = 15 * 2 ** 20;
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(lengthBytes, 1);
  const fitting = Math.floor((maxUnfinishedBytes * callerShareOfUnfinished) / lengthBytes);
  const codes: number[] = [];
  for (let count = 0; count < fitting + 2; count += 1) {
    const stream = begin(session);
    stream.once('close', () => codes.push(stream.rstCode ?? 0));
    stream.write(prefix);
    stream.write(Buffer.alloc(lengthBytes - 1));
  }
  await waitFor('one of them to be ended', () => codes.length > 0);
  assert.ok(codes.every((code) => code === constants.NGHTTP2_ENHANCE_YOUR_CALM));
  assert.equal((await client.statTask(peer)).id, peer.taskId);
  session.destroy();
});
