import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { StatusServer } from '../../src/core/metrics.ts';
import { freePort } from '../support/free-port.ts';
import { ask, serveBody, startDaemon, startOrigin, type Origin, type ProxiedDaemon } from './support/proxy-fixture.ts';

describe('plain forwarding', () => {
  let daemon: ProxiedDaemon;
  let origin: Origin;
  before(async () => {
    daemon = await startDaemon();
    origin = await startOrigin((request, response) => {
      const path = (request.url ?? '').split('?', 1)[0];
      if (path === '/echo') {
        response.writeHead(201, 'Made', {
          'x-method': request.method,
          'set-cookie': ['a=1', 'b=2'],
          connection: 'x-hop',
          'x-hop': '1',
        });
        return void request.pipe(response);
      }
      if (path === '/v2/')
        return void response
          .writeHead(401, { 'www-authenticate': 'Bearer realm="https://auth/t",service="s"' })
          .end('{}');
      if (path === '/redirect') return void response.writeHead(307, { location: 'https://elsewhere/blob?sig=1' }).end();
      if (path === '/v2/page/tags/list')
        return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
      if (path === '/break') {
        response.writeHead(200, { 'content-length': '100' });
        return void response.write('part', () => response.destroy());
      }
      response.writeHead(404).end('nothing here');
    });
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  test('method, body, status, text and repeated headers pass; hop-by-hop and control headers do not', async () => {
    const answer = await ask(daemon, `${origin.url}/echo?q=1`, {
      method: 'PUT',
      body: 'content',
      headers: { 'X-Dragonfly-Tag': 't', 'Proxy-Connection': 'keep-alive', Authorization: 'Bearer x' },
    });
    assert.equal(answer.status, 201);
    assert.equal(answer.body.toString(), 'content');
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
    assert.equal(answer.headers['x-hop'], undefined);
    const sent = origin.seen.at(-1);
    assert.equal(sent?.url, '/echo?q=1');
    assert.equal(sent.headers.host, origin.host);
    assert.equal(sent.headers.authorization, 'Bearer x');
    assert.equal(sent.headers['x-dragonfly-tag'], undefined);
    assert.equal(sent.headers['proxy-connection'], undefined);
  });

  test('as a mirror: the registry of the header, its 401 and its redirect intact', async () => {
    const headers = { 'X-Dragonfly-Registry': origin.url };
    const challenge = await ask(daemon, '/v2/?ns=docker.io', { headers });
    assert.equal(challenge.status, 401);
    assert.equal(challenge.headers['www-authenticate'], 'Bearer realm="https://auth/t",service="s"');
    const redirect = await ask(daemon, '/redirect', { headers });
    assert.equal(redirect.status, 307);
    assert.equal(redirect.headers.location, 'https://elsewhere/blob?sig=1');
  });

  test('a page instead of a registry is explained', async () => {
    const answer = await ask(daemon, '/v2/page/tags/list', { headers: { 'X-Dragonfly-Registry': origin.url } });
    assert.equal(answer.status, 502);
    assert.match(answer.body.toString(), /registry-1\.docker\.io/);
  });

  test('a body that breaks off is a broken connection', async () => {
    await assert.rejects(ask(daemon, `${origin.url}/break`), { code: 'ECONNRESET' });
  });

  test('an origin that is down is told in words', async () => {
    const answer = await ask(daemon, `http://127.0.0.1:${await freePort()}/x`);
    assert.equal(answer.status, 502);
    assert.equal(answer.headers['x-dragonfly-error-type'], 'proxy');
    assert.match(answer.body.toString(), /cannot reach/);
  });

  test('a request that leads back here is refused', async () => {
    const answer = await ask(daemon, `http://127.0.0.1:${daemon.port}/v2/`);
    assert.equal(answer.status, 412);
    const mirrored = await ask(daemon, '/v2/', {
      headers: { 'X-Dragonfly-Registry': `http://localhost:${daemon.port}` },
    });
    assert.equal(mirrored.status, 412);
  });

  test('metadata services are no origins (DF2-2)', async () => {
    const answer = await ask(daemon, 'http://169.254.169.254/latest/meta-data/');
    assert.equal(answer.status, 403);
    const mirrored = await ask(daemon, '/v2/', { headers: { 'X-Dragonfly-Registry': 'http://169.254.169.254' } });
    assert.equal(mirrored.status, 403);
  });

  test('services of any cluster are no origins, whoever they are', async () => {
    const routes = { '/metrics': () => ({ body: 'bytes_total 1' }) };
    await using other = await StatusServer.listen({ host: '127.0.0.1', port: 0 }, routes);
    const url = `http://127.0.0.1:${other.port}/metrics`;
    assert.equal(await (await fetch(url)).text(), 'bytes_total 1');
    for (const headers of [{}, { 'X-Dragonfly-Use-P2P': 'true' }]) {
      const answer = await ask(daemon, url, { headers });
      assert.equal(answer.status, 403);
      assert.doesNotMatch(answer.body.toString(), /bytes_total/);
    }
  });

  test('no question follows a redirect to a metadata service; the client gets the redirect, not its answer (DF2-2)', async () => {
    await using trap = await startOrigin((_request, response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
    );
    const viaPeers = { 'X-Dragonfly-Use-P2P': 'true' };
    const answer = await ask(daemon, `${trap.url}/file`, { headers: viaPeers });
    assert.equal(answer.status, 302);
    assert.equal(answer.body.length, 0);
  });

  test('nonsense is answered, not followed', async () => {
    assert.equal((await ask(daemon, 'ftp://host/file')).status, 400);
    assert.equal((await ask(daemon, '/v2/', { headers: { 'X-Dragonfly-Registry': 'ftp://h' } })).status, 400);
    assert.equal((await ask(daemon, `${origin.url}/echo`, { headers: { 'X-Dragonfly-Priority': '9' } })).status, 400);
    const socket = connect(daemon.port, '127.0.0.1');
    socket.end('\x00\x01\x02\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 400 /);
  });
});

describe('admission', () => {
  test('407 without, 401 with wrong, passage with right credentials; they do not reach the origin (DF2-8)', async () => {
    await using origin = await startOrigin(serveBody(Buffer.from('x')));
    await using daemon = await startDaemon({ proxy: { basicAuth: { username: 'u', password: 'p' } } });
    const basic = (text: string) => ({ 'Proxy-Authorization': `Basic ${Buffer.from(text).toString('base64')}` });
    const missing = await ask(daemon, `${origin.url}/`);
    assert.equal(missing.status, 407);
    assert.match(missing.headers['proxy-authenticate'] ?? '', /^Basic/);
    assert.equal((await ask(daemon, `${origin.url}/`, { headers: basic('u:q') })).status, 401);
    assert.equal(
      (await ask(daemon, `${origin.url}/`, { headers: { 'Proxy-Authorization': 'BasicdTpw' } })).status,
      401,
    );
    assert.equal(origin.seen.length, 0);
    assert.equal((await ask(daemon, `${origin.url}/`, { headers: basic('u:p') })).status, 200);
    assert.equal(origin.seen[0]?.headers['proxy-authorization'], undefined);
  });

  test('the white list decides for whole URLs, not for the mirror', async () => {
    await using origin = await startOrigin(serveBody(Buffer.from('x')));
    await using daemon = await startDaemon({ proxy: { whiteList: [{ host: 'allowed.test' }] } });
    assert.equal((await ask(daemon, `${origin.url}/`)).status, 401);
    assert.equal((await ask(daemon, '/v2/', { headers: { 'X-Dragonfly-Registry': origin.url } })).status, 200);
  });

  test('more requests a second than allowed are told so at once', async () => {
    await using origin = await startOrigin(serveBody(Buffer.from('x')));
    await using daemon = await startDaemon({ proxy: { server: { requestRateLimit: 1 } } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(daemon, `${origin.url}/`)));
    const statuses = answers.map(({ status }) => status);
    assert.ok(statuses.includes(200) && statuses.includes(429), String(statuses));
    assert.ok(statuses.every((status) => status === 200 || status === 429));
  });

  test('a full mirror says so within a second, so that the engine goes on', async () => {
    const hold = Promise.withResolvers<void>();
    await using origin = await startOrigin((_request, response) => void hold.promise.then(() => response.end('late')));
    await using daemon = await startDaemon({ proxy: { maxConcurrency: 1 } });
    const headers = { 'X-Dragonfly-Registry': origin.url };
    const first = ask(daemon, '/v2/', { headers });
    while (origin.seen.length === 0) await once(origin.server, 'request');
    const refused = await ask(daemon, '/v2/', { headers });
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '1');
    const second = ask(daemon, `${origin.url}/`); // a forward proxy's client has nowhere else to go: it waits
    hold.resolve();
    assert.equal((await first).status, 200);
    assert.equal((await second).status, 200);
  });
});
