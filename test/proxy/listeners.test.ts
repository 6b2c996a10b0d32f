// needs: curl, ip
/** Other ways to the proxy than its port on this host: TLS by the name in its greeting, and listeners in other namespaces. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { createServer as createTlsServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { promisify } from 'node:util';
import { issueCertificates } from '../source/certificates.ts';
import { serveBody, startDaemon, startOrigin, type ProxiedDaemon } from './support/proxy-fixture.ts';

const run = promisify(execFile);
const content = randomBytes(5 * 2 ** 20);
const blobPath = `/v2/a/blobs/sha256:${createHash('sha256').update(content).digest('hex')}`;

describe('TLS without CONNECT, by the name in the greeting', () => {
  const closers = new AsyncDisposableStack();
  const seen: string[] = [];
  let daemon: ProxiedDaemon;
  let ca: string;
  let port: number;
  before(async () => {
    const certificates = await issueCertificates([{ type: 'dns', value: 'localhost' }]);
    const origin = createTlsServer({ cert: certificates.cert, key: certificates.key }, (request, response) => {
      seen.push(`${request.method} ${request.url}`);
      serveBody(content)(request, response);
    });
    closers.defer(() => {
      origin.close();
      origin.closeAllConnections();
    });
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const redirect = `localhost:${(origin.address() as AddressInfo).port}`;
    daemon = closers.use(
      await startDaemon({
        proxy: {
          proxies: [
            { regx: 'blobs/sha256.*', redirect },
            { regx: '.*', redirect, direct: true },
          ],
          hijackHTTPS: {
            autoCert: true,
            hosts: [{ regx: '^registry\\.test:', certs: [certificates.ca] }],
            sni: [{ listen: '127.0.0.1', port: 0 }],
          },
        },
      }),
    );
    ca = await readFile(join(daemon.service.config.workHome, 'proxy-ca', 'ca.crt'), 'utf8');
    port = Number(daemon.service.addresses['sni-0']?.split(':')[1]);
  });
  after(() => closers.disposeAsync());

  const options = (servername: string) => ({ host: '127.0.0.1', port, servername, ca });

  test('a name that is intercepted: its own leaf, requests inside go by rule', async () => {
    for (const [path, byPeers] of [
      ['/hello', false],
      [blobPath, true],
    ] as const) {
      const request = httpsRequest({ ...options('registry.test'), path, headers: { host: 'registry.test' } });
      request.end();
      const [message] = (await once(request, 'response')) as [IncomingMessage];
      const blocks: Buffer[] = [];
      for await (const block of message) blocks.push(block as Buffer);
      assert.equal(message.statusCode, 200, path);
      assert.ok(Buffer.concat(blocks).equals(content), path);
      assert.equal(message.headers['x-dragonfly-task-id'] !== undefined, byPeers, path);
    }
    assert.ok(seen.includes('GET /hello'));
  });

  test('HTTP/2 as well', async () => {
    const session = connectHttp2('https://registry.test', {
      createConnection: () => tlsConnect({ ...options('registry.test'), ALPNProtocols: ['h2'] }),
    });
    const stream = session.request({ ':path': blobPath });
    const blocks: Buffer[] = [];
    for await (const block of stream) blocks.push(block as Buffer);
    session.destroy();
    assert.ok(Buffer.concat(blocks).equals(content));
  });

  for (const [what, servername] of [
    ['a name that is not', 'other.test'],
    ['no name at all', ''],
  ] as const) {
    test(`${what} intercepted: refused in the handshake`, async () => {
      const before = seen.length;
      const secure = tlsConnect({ ...options(servername), rejectUnauthorized: false });
      await assert.rejects(once(secure, 'secureConnect'));
      assert.equal(seen.length, before);
    });
  }

  test('with a password for the proxy there is no such port: it would be a way around it', async () => {
    const proxy = {
      basicAuth: { username: 'u', password: 'p' },
      hijackHTTPS: { autoCert: true, sni: [{ port: 0 }] },
    };
    await assert.rejects(startDaemon({ proxy }), { code: 'CONFIG_INVALID', message: /hijackHTTPS\.sni/ });
  });
});

describe('a namespace of its own', { skip: process.getuid?.() !== 0 && 'needs root, to make one' }, () => {
  const namespace = `df-${randomBytes(3).toString('hex')}`;
  before(async () => {
    await run('ip', ['netns', 'add', namespace]);
    await run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  });
  after(() => run('ip', ['netns', 'delete', namespace]));

  /** Status of what curl got in the namespace. */
  async function statusInside(...args: string[]): Promise<number> {
    const curl = ['curl', '-sS', '--max-time', '60', '-o', '/dev/null', '-w', '%{http_code}', '--noproxy', '', ...args];
    return Number((await run('ip', ['netns', 'exec', namespace, ...curl])).stdout);
  }

  for (const [family, listen, shown] of [
    ['IPv4', '127.0.0.1', '127.0.0.1'],
    ['IPv6', '::1', '[::1]'],
  ] as const) {
    test(`${family}: the proxy is there and not here; its clients do not reach the loopback of this host`, async () => {
      await using origin = await startOrigin(serveBody(content));
      await using other = await startOrigin(serveBody(content));
      await using daemon = await startDaemon({
        proxy: {
          tcpListen: { port: 0, listen, namespace: `/run/netns/${namespace}` },
          registryMirror: { url: origin.url },
        },
      });
      const proxy = `http://${shown}:${daemon.port}`;
      assert.equal(await statusInside(`${proxy}${blobPath}`), 200);
      assert.deepEqual(new Set(origin.seen.map(({ url }) => url)), new Set([blobPath]));
      assert.equal(await statusInside('-x', proxy, `${other.url}/private`), 403);
      assert.equal(other.seen.length, 0);
      await assert.rejects(fetch(`${proxy}/v2/`), 'nothing listens on this host');
    });
  }

  test('what is no namespace, and a name for an address, are told', async () => {
    const at = (tcpListen: object) => startDaemon({ proxy: { tcpListen: { port: 0, ...tcpListen } } });
    const refused = { code: 'CONFIG_INVALID' };
    await assert.rejects(at({ namespace: '/run/netns/absent' }), { ...refused, message: /\/run\/netns\/absent/ });
    await assert.rejects(at({ namespace: '/proc/self/ns/net', listen: 'localhost' }), {
      ...refused,
      message: /"localhost"/,
    });
    await assert.rejects(at({ namespace: '/etc/hostname' }), /setns/);
  });
});
