/** How calls end on the wire, seen by a caller that knows nothing of our extensions: as grpc-go ends them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { after, describe, it } from 'node:test';
import { DragonflyError } from '../../src/core/errors.ts';
import { Owned } from '../../src/core/process/lifecycle.ts';
import {
  AnnouncePeerRequest,
  AnnouncePeerResponse,
  SchedulerDefinition,
  StatTaskRequest,
} from '../../gen/scheduler/v2/scheduler.ts';
import { RpcServer, type Handlers } from '../../src/rpc/server/server.ts';

const peer = { hostId: '127.0.0.1-host', taskId: 'a'.repeat(64), peerId: '127.0.0.1-host-1' };
const started = AnnouncePeerRequest.fromPartial({
  ...peer,
  request: { $case: 'downloadPeerStartedRequest', value: {} },
});

const answer = AnnouncePeerResponse.fromPartial({ response: { $case: 'metadataOnlyResponse', value: {} } });
const service = '/scheduler.v2.Scheduler';

const owned = new Owned();
after(() => owned[Symbol.asyncDispose]());

async function serve(handlers: Handlers<typeof SchedulerDefinition>): Promise<RpcServer> {
  const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { features: ['swarm1'] });
  server.addService(SchedulerDefinition, handlers);
  await server.start();
  return owned.add('server', server);
}

/** A message as gRPC frames it. */
function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** Header and trailers of a call whose caller leaves its own half open. */
async function call(method: string, message: Uint8Array, handlers: Handlers<typeof SchedulerDefinition>) {
  const session = connect(`http://${(await serve(handlers)).address}`);
  owned.defer('session', async () => session.destroy());
  const stream = session.request(
    { ':method': 'POST', ':path': `${service}/${method}`, 'content-type': 'application/grpc', te: 'trailers' },
    { endStream: false },
  );
  stream.write(framed(message));
  let header: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  let bytes = 0;
  stream.on('response', (received) => (header = received));
  stream.on('trailers', (received) => (trailers = received));
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  await once(stream, 'close', { signal: AbortSignal.timeout(20_000) });
  return { header, trailers, bytes };
}

const frameTypes = ['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM'];

/**
 * What the server sends on the stream of such a call, until it resets it. Written by hand, since HTTP/2 libraries close
 * a stream by themselves when the other half has ended; the one of the original's client does not.
 */
async function frames(method: string, message: Uint8Array, handlers: Handlers<typeof SchedulerDefinition>) {
  const server = await serve(handlers);
  const socket = connectTcp(server.port, '127.0.0.1');
  owned.defer('socket', async () => void socket.destroy());
  const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.set([type, flags], 3);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
  const header = { ':method': 'POST', ':scheme': 'http', ':path': `${service}/${method}`, ':authority': 'test', te: 'trailers', 'content-type': 'application/grpc' }; // prettier-ignore
  const headerBlock = Object.entries(header).map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)])); // prettier-ignore
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(4, 0, 0, Buffer.alloc(0)));
  socket.write(frame(1, 4, 1, Buffer.concat(headerBlock)));
  socket.write(frame(0, 0, 1, framed(message)));
  const seen: string[] = [];
  let received = Buffer.alloc(0);
  socket.setTimeout(20_000, () => socket.destroy(new Error(`the stream stays open after ${seen.join(', ')}`)));
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer]);
    while (received.length >= 9 && received.length >= 9 + received.readUIntBE(0, 3)) {
      const [type = 0, flags = 0] = received.subarray(3, 5);
      const payload = received.subarray(9, 9 + received.readUIntBE(0, 3));
      if (received.readUInt32BE(5) === 1 && type < 4) {
        const end = type < 2 && (flags & 1) === 1 ? ' END_STREAM' : '';
        seen.push(`${frameTypes[type]}${type === 3 ? ` ${payload.readUInt32BE(0)}` : end}`);
        if (type === 3) return seen;
      }
      received = received.subarray(9 + payload.length);
    }
  }
  return seen;
}

const announce = AnnouncePeerRequest.encode(started).finish();

const answers = (count: number): Handlers<typeof SchedulerDefinition> => ({
  announcePeer: async function* (requests) {
    for await (const _request of requests) {
      for (let left = count; left > 0; left -= 1) yield answer;
      return;
    }
  },
});
const fails: Handlers<typeof SchedulerDefinition> = {
  announcePeer: () => {
    throw new DragonflyError('NOT_FOUND', 'no such task', { details: { statusCode: 404, header: {} } });
  },
};

void describe('the end of a call', () => {
  void it('resets the stream behind the trailers, although the caller has not ended its half', async () => {
    assert.deepEqual(await frames('AnnouncePeer', announce, answers(2)), [
      'HEADERS',
      'DATA',
      'DATA',
      'HEADERS END_STREAM',
      'RST_STREAM 0',
    ]);
    assert.deepEqual(await frames('AnnouncePeer', announce, fails), ['HEADERS END_STREAM', 'RST_STREAM 0']);
    const undecodable = Buffer.concat([
      StatTaskRequest.encode(StatTaskRequest.fromPartial(peer)).finish(),
      Buffer.of(255),
    ]);
    assert.deepEqual(await frames('StatTask', undecodable, {}), ['HEADERS END_STREAM', 'RST_STREAM 0']);
  });

  void it('carries the features before the first answer', async () => {
    const { header, trailers, bytes } = await call('AnnouncePeer', announce, answers(1));
    assert.equal(trailers?.['grpc-status'], '0');
    assert.equal(header['x-dragonfly-features'], 'swarm1');
    assert.ok(bytes > 5);
  });

  void it('is one header without a body for an error before the first answer', async () => {
    const { header, trailers, bytes } = await call('AnnouncePeer', announce, fails);
    assert.equal(header['grpc-status'], '5');
    assert.equal(header['grpc-message'], 'no%20such%20task');
    assert.ok(header['grpc-status-details-bin']);
    assert.equal(trailers, undefined);
    assert.equal(bytes, 0);
  });

  void it('has the error in the trailers behind an answer', async () => {
    const { trailers } = await call('AnnouncePeer', announce, {
      announcePeer: async function* () {
        yield answer;
        throw new DragonflyError('UNAVAILABLE', 'going away');
      },
    });
    assert.equal(trailers?.['grpc-status'], '14');
  });
});
