/** Inside an intercepted tunnel bytes and framing pass as anywhere else, in HTTP/1 and from HTTP/2. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectHttp2, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { issueCertificates } from '../source/certificates.ts';
import { startDaemon, type ProxiedDaemon } from './support/proxy-fixture.ts';
import { bytes, rawClientOn, rawOrigin, type RawHandler, type RawOrigin } from './support/raw-http.ts';
import { openTunnel } from './support/tunnel.ts';

const closers = new AsyncDisposableStack();
let daemon: ProxiedDaemon;
let origin: RawOrigin;
let ca: string;
let answer: RawHandler;
before(async () => {
  const certificates = await issueCertificates([{ type: 'ip', value: '127.0.0.1' }]);
  origin = closers.use(
    await rawOrigin((request, whole) => answer(request, whole), { cert: certificates.cert, key: certificates.key }),
  );
  daemon = closers.use(
    await startDaemon({
      proxy: {
        connectPorts: ['1-65535'],
        proxies: [{ regx: '.*' }],
        hijackHTTPS: { autoCert: true, hosts: [{ regx: '127', certs: [certificates.ca] }] },
      },
    }),
  );
  ca = await readFile(join(daemon.service.config.workHome, 'proxy-ca', 'ca.crt'), 'utf8');
});
after(() => closers.disposeAsync());

const tunnel = (ALPNProtocols: string[]): Promise<TLSSocket> =>
  openTunnel({ proxyPort: daemon.port, host: origin.host, ca, ALPNProtocols });

const location = Buffer.from('/模型').toString('latin1');

test('HTTP/1: targets, header bytes, chunks, expectations and upgrades', async () => {
  const targets = ['/a/../b', '/%2f', '/%', '/a?', '//a', `/'"`];
  answer = ({ head }, whole) => {
    if (head.includes('Upgrade: ws')) return 'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: ws\r\n\r\nhi';
    if (!whole) return head.includes('Expect') ? 'HTTP/1.1 100 Continue\r\n\r\n' : undefined;
    return `HTTP/1.1 200 OK\r\nLocation: ${location}\r\nContent-Length: 2\r\n\r\nok`;
  };
  using client = rawClientOn(await tunnel(['http/1.1']));
  let got = 0;
  for (const target of targets) {
    client.send(
      `POST ${target} HTTP/1.1\r\nHost: ${origin.host}\r\nX-A: caf\xe9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    );
    got += 1;
    await client.until(new RegExp(`^(?:HTTP/1\\.1 200 OK\r\nLocation: ${location}\r\n[^]*?ok){${got}}$`));
  }
  assert.deepEqual(
    origin.seen.map(({ head }) => head.split(' ')[1]),
    targets,
  );
  assert.ok(
    origin.seen.every(
      ({ head, body }) => head.includes('\r\nX-A: caf\xe9\r\n') && /^2\r\n\{\}\r\n0\r\n\r\n$/.test(body),
    ),
  );
  client.send(`PUT /e HTTP/1.1\r\nHost: ${origin.host}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  await client.until(/\r\n\r\nok[^]*HTTP\/1\.1 100 Continue\r\n\r\n$/);
  client.send('{}');
  await client.until(/100 Continue\r\n\r\nHTTP\/1\.1 200 [^]*ok$/);
  client.send(`GET /ws HTTP/1.1\r\nHost: ${origin.host}\r\nConnection: Upgrade\r\nUpgrade: ws\r\n\r\n`);
  await client.until(/HTTP\/1\.1 101 Yes\r\n[^]*hi$/);
});

test('HTTP/2: a body without a length becomes one in chunks, cookies one line, header bytes stay', async () => {
  const before = origin.seen.length;
  answer = (_request, whole) =>
    whole
      ? `HTTP/1.1 200 OK\r\nLocation: ${location}\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok`
      : undefined;
  const secure = await tunnel(['h2']);
  const session = connectHttp2(`https://${origin.host}`, { createConnection: () => secure });
  const ask = async (stream: ClientHttp2Stream, body: string): Promise<[IncomingHttpHeaders, string]> => {
    stream.end(body);
    const [header] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    const blocks: Buffer[] = [];
    for await (const block of stream) blocks.push(block as Buffer);
    return [header, Buffer.concat(blocks).toString()];
  };
  const post = session.request({ ':method': 'POST', ':path': '/a/../b?', cookie: ['a=1', 'b=2'], 'x-a': 'caf\xe9' });
  const [header, text] = await ask(post, '{}');
  assert.equal(text, 'ok');
  assert.deepEqual(bytes(String(header.location)), bytes(location));
  assert.deepEqual(header['set-cookie'], ['a=1', 'b=2']);
  const seen = origin.seen[before];
  assert.match(seen?.head ?? '', /^POST \/a\/\.\.\/b\? HTTP\/1\.1\r\n/);
  assert.match(seen?.head ?? '', /\r\ncookie: a=1; b=2\r\n/);
  assert.match(seen?.head ?? '', /\r\nx-a: caf\xe9\r\n/);
  assert.match(seen?.body ?? '', /^2\r\n\{\}\r\n0\r\n\r\n$/);
  session.close();
});

test('HTTP/2: interim answers, repeated fields and statuses that it does not have', async () => {
  const repeated = 'ETag: "a"\r\nETag: "b"\r\nContent-Location: /a\r\nContent-Location: /b\r\nX-A: 1\r\nX-A: 2\r\n';
  answer = ({ head }, whole) => {
    if (!whole) return undefined;
    if (head.includes('/strange')) return 'HTTP/1.1 799 What\r\nContent-Length: 2\r\n\r\nok';
    if (head.includes('/stored') || head.includes('/manifests/'))
      return `HTTP/1.1 200 OK\r\nETag: "s"\r\nContent-Language: a\r\nContent-Language: b\r\nContent-Length: 90000\r\n\r\n${'x'.repeat(90_000)}`;
    const interim = `HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Hints\r\nConnection: x\r\n${repeated}\r\n`;
    const trailers = `ETag: "c"\r\nETag: "d"\r\n`;
    return `${interim}HTTP/1.1 200 OK\r\n${repeated}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${trailers}\r\n`;
  };
  const secure = await tunnel(['h2']);
  const session = connectHttp2(`https://${origin.host}`, { createConnection: () => secure });
  const strange = session.request({ ':path': '/strange' }).resume();
  const [refused] = (await once(strange, 'response')) as [IncomingHttpHeaders];
  assert.equal(refused[':status'], 502);
  for (const path of ['/stored', '/v2/a/manifests/v1']) {
    const stored = session.request({ ':path': path });
    const [told] = (await once(stored, 'response')) as [IncomingHttpHeaders];
    assert.deepEqual([told[':status'], told['content-language']], [200, 'a, b'], path);
    assert.equal(told['x-dragonfly-task-id'] === undefined, path !== '/stored', 'an object comes from the store');
    stored.resume();
    await once(stored, 'close');
  }
  const stream = session.request({ ':path': '/interim' });
  const interim: unknown[] = [];
  const trailers: IncomingHttpHeaders[] = [];
  stream.on('headers', (header: IncomingHttpHeaders) => interim.push([header[':status'], header['content-location']]));
  stream.on('trailers', (header: IncomingHttpHeaders) => trailers.push(header));
  const [header] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  stream.resume();
  await once(stream, 'close');
  assert.deepEqual(interim, [
    [102, undefined],
    [103, '/a, /b'],
  ]);
  assert.deepEqual([header.etag, header['content-location'], header['x-a']], ['"a", "b"', '/a, /b', '1, 2']);
  assert.equal(trailers[0]?.etag, '"c", "d"');
  session.close();
});
