import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer as createPlainServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { createServer as createTlsServer, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { CertificateAuthority } from '../../src/dfdaemon/proxy/interception/certificate-authority.ts';
import { issueCertificates, type TestCertificates } from '../source/certificates.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { serveBody, startDaemon, type ProxiedDaemon, isProbe } from './support/proxy-fixture.ts';

const content = randomBytes(5 * 2 ** 20);
const blobPath = `/v2/a/blobs/sha256:${createHash('sha256').update(content).digest('hex')}`;

interface TlsOrigin extends AsyncDisposable {
  readonly port: number;
  readonly seen: string[];
  readonly certificates: TestCertificates;
}

async function startTlsOrigin(): Promise<TlsOrigin> {
  const certificates = await issueCertificates([
    { type: 'dns', value: 'localhost' },
    { type: 'ip', value: '127.0.0.1' },
  ]);
  const seen: string[] = [];
  const server = createTlsServer({ cert: certificates.cert, key: certificates.key }, (request, response) => {
    if (!isProbe(request.headers.range)) seen.push(`${request.method} ${request.url}`);
    if (request.url === '/hello') return void response.end('hello');
    serveBody(content)(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    certificates,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The tunnel, or the refusal's status. */
async function openTunnel(daemon: ProxiedDaemon, target: string): Promise<Socket | number> {
  const request = httpRequest({ host: '127.0.0.1', port: daemon.port, method: 'CONNECT', path: target, agent: false });
  request.end();
  const [message, socket] = (await once(request, 'connect')) as [IncomingMessage, Socket];
  if (message.statusCode === 200) return socket;
  socket.destroy();
  return message.statusCode ?? 0;
}

async function secured(
  daemon: ProxiedDaemon,
  target: string,
  ca: string,
  ALPNProtocols?: string[],
): Promise<TLSSocket> {
  const socket = await openTunnel(daemon, target);
  assert.ok(typeof socket !== 'number', `the tunnel to ${target} was refused`);
  const host = target.split(':')[0] ?? '';
  const secure = tlsConnect({
    socket,
    ca,
    ...(host === '127.0.0.1' ? { host } : { servername: host }),
    ...(ALPNProtocols && { ALPNProtocols }),
  });
  await once(secure, 'secureConnect');
  return secure;
}

async function get(
  secure: TLSSocket,
  path: string,
  host = 'localhost',
): Promise<{ status: number; body: Buffer; headers: IncomingMessage['headers'] }> {
  const request = httpsRequest({ createConnection: () => secure, path, headers: { host } });
  request.end();
  const [message] = (await once(request, 'response')) as [IncomingMessage];
  const blocks: Buffer[] = [];
  for await (const block of message) blocks.push(block as Buffer);
  return { status: message.statusCode ?? 0, body: Buffer.concat(blocks), headers: message.headers };
}

describe('interception', () => {
  let origin: TlsOrigin;
  let daemon: ProxiedDaemon;
  let ca: string;
  before(async () => {
    origin = await startTlsOrigin();
    daemon = await startDaemon({
      proxy: {
        connectPorts: ['1-65535'],
        proxies: [{ regx: 'blobs/sha256.*' }],
        hijackHTTPS: {
          autoCert: true,
          hosts: [{ regx: `^(localhost|127\\.0\\.0\\.1):${origin.port}$`, certs: [origin.certificates.ca] }],
        },
      },
    });
    ca = await readFile(join(daemon.service.config.workHome, 'proxy-ca', 'ca.crt'), 'utf8');
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  for (const host of ['localhost', '127.0.0.1']) {
    test(`HTTP/1.1 to ${host}: a leaf for that name, requests inside go by rule`, async () => {
      const secure = await secured(daemon, `${host}:${origin.port}`, ca);
      assert.equal(secure.authorized, true);
      const plain = await get(secure, '/hello');
      assert.equal(plain.body.toString(), 'hello');
      assert.equal(plain.headers['x-dragonfly-task-id'], undefined);
      const blob = await get(await secured(daemon, `${host}:${origin.port}`, ca), blobPath, host);
      assert.ok(blob.body.equals(content));
      assert.equal(blob.headers['x-dragonfly-task-id'], blobPath.slice(-64));
    });
  }

  test('HTTP/2: several requests in one tunnel', async () => {
    const secure = await secured(daemon, `localhost:${origin.port}`, ca, ['h2', 'http/1.1']);
    assert.equal(secure.alpnProtocol, 'h2');
    const session = connectHttp2(`https://localhost:${origin.port}`, { createConnection: () => secure });
    const fetchOne = async (path: string): Promise<{ status: unknown; body: Buffer }> => {
      const stream = session.request({ ':path': path });
      const [header] = (await once(stream, 'response')) as [Record<string, unknown>];
      const blocks: Buffer[] = [];
      for await (const block of stream) blocks.push(block as Buffer);
      return { status: header[':status'], body: Buffer.concat(blocks) };
    };
    const [hello, blob, again] = await Promise.all([fetchOne('/hello'), fetchOne(blobPath), fetchOne(blobPath)]);
    assert.equal(hello.body.toString(), 'hello');
    assert.ok(blob.body.equals(content) && again.body.equals(content));
    session.close();
  });

  test('the blob was fetched once', () => {
    assert.equal(origin.seen.filter((line) => line === `GET ${blobPath}`).length, 1);
  });

  test('the key is for its owner only, and both survive a restart (P-3)', async () => {
    const directory = join(daemon.service.config.workHome, 'proxy-ca');
    assert.equal((await stat(join(directory, 'authority.pem'))).mode & 0o777, 0o600);
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    const kept = await CertificateAuthority.keptIn(directory);
    assert.equal(kept.certificatePem.trim(), ca.trim());
  });
});

test('of two that make the authority at once, both use the same', async () => {
  await using directory = await temporaryDirectory();
  const made = await Promise.all([1, 2, 3].map(() => CertificateAuthority.keptIn(directory.join('ca'))));
  assert.equal(new Set(made.map(({ certificatePem }) => certificatePem)).size, 1);
});

test('a certificate that is no authority, or a foreign key, is refused', async () => {
  const { cert, key, ca } = await issueCertificates([{ type: 'dns', value: 'x' }]);
  await assert.rejects(CertificateAuthority.load(cert, key), { code: 'CONFIG_INVALID' });
  await assert.rejects(CertificateAuthority.load(ca, key), { code: 'CONFIG_INVALID' });
});

test('an origin whose certificate nobody vouches for is refused inside the tunnel (D-2)', async () => {
  await using origin = await startTlsOrigin();
  await using daemon = await startDaemon({
    proxy: { connectPorts: ['1-65535'], hijackHTTPS: { autoCert: true, hosts: [{ regx: '.*' }] } },
  });
  const ca = await readFile(join(daemon.service.config.workHome, 'proxy-ca', 'ca.crt'), 'utf8');
  const bundle = await readFile(join(daemon.service.config.workHome, 'proxy-ca', 'ca-bundle.crt'), 'utf8');
  assert.ok(
    bundle.endsWith(ca) && bundle.split('BEGIN CERTIFICATE').length > 10,
    'with the authorities of this machine',
  );
  const answer = await get(await secured(daemon, `localhost:${origin.port}`, ca), '/hello');
  assert.equal(answer.status, 502);
  assert.match(answer.body.toString(), /certs/);
  assert.equal(origin.seen.length, 0);
});

describe('blind tunnels', () => {
  test('bytes pass unread, the origin shows its own certificate', async () => {
    await using origin = await startTlsOrigin();
    await using daemon = await startDaemon({ proxy: { connectPorts: ['1-65535'] } });
    const secure = await secured(daemon, `localhost:${origin.port}`, origin.certificates.ca);
    const answer = await get(secure, blobPath);
    assert.ok(answer.body.equals(content));
    const metrics = await daemon.service.registry.getSingleMetricAsString(
      'dragonfly_dfdaemon_proxy_request_tunnel_total',
    );
    assert.match(metrics, /_total 0|_total 1/);
  });

  test('P-1: only to allowed ports and hosts; nonsense is refused', async () => {
    await using daemon = await startDaemon();
    assert.equal(await openTunnel(daemon, 'localhost:22'), 403);
    assert.equal(await openTunnel(daemon, '169.254.169.254:443'), 502);
    assert.equal(await openTunnel(daemon, 'localhost'), 400);
    await using listed = await startDaemon({ proxy: { whiteList: [{ host: 'localhost', ports: [443] }] } });
    assert.equal(await openTunnel(listed, 'localhost:5000'), 401);
    assert.equal(await openTunnel(listed, 'elsewhere:443'), 401);
  });

  test('a side that ends its half is still answered', async () => {
    const echo = createPlainServer({ allowHalfOpen: true } as object);
    echo.removeAllListeners('connection');
    echo.on('connection', (socket: Socket) => {
      const blocks: Buffer[] = [];
      socket.on('data', (block: Buffer) => blocks.push(block)).on('end', () => socket.end(Buffer.concat(blocks)));
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    await using daemon = await startDaemon({ proxy: { connectPorts: ['1-65535'] } });
    const socket = await openTunnel(daemon, `127.0.0.1:${(echo.address() as AddressInfo).port}`);
    assert.ok(typeof socket !== 'number');
    socket.end(content);
    const blocks: Buffer[] = [];
    for await (const block of socket) blocks.push(block as Buffer);
    assert.ok(Buffer.concat(blocks).equals(content));
    echo.close();
  });
});
