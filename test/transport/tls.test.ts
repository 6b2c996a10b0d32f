import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { before, describe, test, type TestContext } from 'node:test';
import { RateLimiter } from '../../src/core/rate-limiter.ts';
import { PieceServer } from '../../src/dfdaemon/transport/piece-server.ts';
import type { TlsPolicy, TransportTls } from '../../src/dfdaemon/transport/tls-policy.ts';
import { encodeRequest, requestBytes, tags } from '../../src/dfdaemon/transport/vortex.ts';
import { hasCode } from '../storage/fixtures.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import {
  Child,
  pieceLengthBytes,
  RawClient,
  startParent,
  startScript,
  taskId,
  transportContent,
  unlimited,
} from './fixtures.ts';

const content = transportContent(3 * pieceLengthBytes + 99);
type Identity = Pick<TransportTls, 'ca' | 'cert' | 'key'>;
let ours: Identity;
let strangers: Identity;

before(async () => {
  await using directory = await temporaryDirectory();
  ours = makeIdentity(directory.path, 'ours');
  strangers = makeIdentity(directory.path, 'strangers');
});

/** A CA of one: the certificate signs itself and is what the other side trusts. */
function makeIdentity(directory: string, name: string): Identity {
  const key = join(directory, `${name}.key`);
  const cert = join(directory, `${name}.pem`);
  const request = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=${name} -addext subjectAltName=IP:127.0.0.1`;
  execFileSync('openssl', [...request.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { ca: readFileSync(cert), cert: readFileSync(cert), key: readFileSync(key) };
}

const tls = (policy: TlsPolicy, identity = ours): { tls: TransportTls } => ({ tls: { policy, ...identity } });

async function fetchAll(child: Child, port: number, options: { persistent?: boolean; tls?: boolean }): Promise<void> {
  await Promise.all([0, 1, 2, 3].map((number) => child.fetch(number, port, options)));
  child.task.finish();
  assert(readFileSync(child.task.content.path).equals(content));
}

/** Passes bytes on to the port and keeps what it has seen of both directions. */
async function startRelay(t: TestContext, port: number): Promise<{ port: number; seen: () => Buffer }> {
  const seen: Buffer[] = [];
  const relay = await startScript(t, (inside) => {
    const outside = connect({ host: '127.0.0.1', port });
    outside.on('error', () => inside.destroy());
    for (const [from, to] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        seen.push(chunk);
        to.write(chunk);
      });
      from.on('close', () => to.destroy());
    }
  });
  return { port: relay.port, seen: () => Buffer.concat(seen) };
}

describe('the piece port with TLS', () => {
  for (const persistent of [true, false]) {
    test(`force: whole content, ${persistent ? 'persistent' : 'one request per connection'}`, async (t) => {
      const { server } = await startParent(t, content, tls('force'));
      const child = await Child.create(t, content.length, tls('force'));
      await fetchAll(child, server.port, { persistent });
      assert.equal(child.client.bufferedBytes, 0);
    });
  }

  test('prefer: plain and encrypted children on the same port', async (t) => {
    const { server } = await startParent(t, content, tls('prefer'));
    for (const [options, announced] of [
      [tls('prefer'), true],
      [tls('prefer'), false],
      [tls('off'), true],
    ] as const) {
      await fetchAll(await Child.create(t, content.length, options), server.port, { tls: announced });
    }
  });

  test('D-1 a recording relay sees no plaintext', async (t) => {
    const { server } = await startParent(t, content, tls('force'));
    const relay = await startRelay(t, server.port);
    await fetchAll(await Child.create(t, content.length, tls('force')), relay.port, {});
    const seen = relay.seen();
    assert(seen.length > content.length);
    for (let at = 0; at < content.length; at += 999_983) assert.equal(seen.indexOf(content.subarray(at, at + 24)), -1);
    assert.equal(seen.indexOf(taskId), -1);
    const plainRelay = await startRelay(t, (await startParent(t, content)).server.port);
    await fetchAll(await Child.create(t, content.length), plainRelay.port, {});
    assert.notEqual(plainRelay.seen().indexOf(taskId), -1, 'the relay must be able to see');
  });

  test('force: a plain request is refused, and no piece leaves', async (t) => {
    const { server } = await startParent(t, content, tls('force'));
    const child = await RawClient.connect(t, server.port);
    child.socket.write(encodeRequest(tags.downloadPiece, taskId, 0));
    await child.closed;
    assert.equal(child.received.readUInt8(1), tags.error);
    assert(child.received.length < 200);
  });

  test('a parent with a strange certificate is refused', async (t) => {
    const { server } = await startParent(t, content, tls('force', strangers));
    const child = await Child.create(t, content.length, tls('force'));
    await assert.rejects(child.fetch(0, server.port), hasCode('UNAUTHENTICATED'));
  });

  test('a child with a strange certificate, or none, gets nothing', async (t) => {
    const { server } = await startParent(t, content, tls('force'));
    for (const identity of [{ ...strangers, ca: ours.ca }, { ca: ours.ca }] as Identity[]) {
      const child = await Child.create(t, content.length, tls('force', identity));
      await assert.rejects(
        child.fetch(0, server.port),
        (error) => hasCode('UNAUTHENTICATED')(error) || hasCode('UNAVAILABLE')(error),
      );
    }
  });

  test('a parent that answers a TLS child in clear is not believed', async (t) => {
    const { server } = await startParent(t, content);
    const child = await Child.create(t, content.length, tls('force'));
    await assert.rejects(
      child.fetch(0, server.port),
      (error) => hasCode('UNAUTHENTICATED')(error) || hasCode('UNAVAILABLE')(error),
    );
  });

  test('D-1 certificates that do not load are fatal, not plain', async (t) => {
    const { store } = await startParent(t, content);
    const options = {
      store,
      limiter: unlimited(),
      host: '127.0.0.1',
      port: 0,
      ...tls('prefer', { cert: 'nonsense', key: 'nonsense' }),
    };
    await assert.rejects(PieceServer.create(options), hasCode('CONFIG_INVALID'));
  });

  test('garbage after a TLS greeting, and a first byte that comes alone', async (t) => {
    const { server } = await startParent(t, content, tls('prefer'));
    const garbage = await RawClient.connect(t, server.port);
    garbage.socket.write(Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05, 1, 2, 3, 4, 5]));
    await garbage.closed;
    const slow = await RawClient.connect(t, server.port);
    const request = encodeRequest(tags.downloadPiece, taskId, 3, 0x16);
    slow.socket.write(request.subarray(0, 1));
    await new Promise(setImmediate);
    slow.socket.write(request.subarray(1));
    await slow.closed;
    assert(slow.received.subarray(-99).equals(content.subarray(-99)));
    assert.equal(request.length, requestBytes);
  });

  test('the rate of a slow disk or limit holds the parent back', async (t) => {
    const { server } = await startParent(t, content, tls('force'));
    const child = await Child.create(t, content.length, { ...tls('force'), limiter: new RateLimiter(24 * 2 ** 20) });
    await fetchAll(child, server.port, {});
  });
});
