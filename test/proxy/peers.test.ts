import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import {
  ask,
  isProbe,
  serveBody,
  startDaemon,
  startOrigin,
  type Origin,
  type ProxiedDaemon,
} from './support/proxy-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const content = randomBytes(9 * 2 ** 20 + 17); // three pieces, the last one short
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;

function gets(origin: Origin, path = ''): number {
  return origin.seen.filter(
    ({ method, url, headers }) =>
      method === 'GET' && url.includes(path) && !isProbe(headers.range) && headers['if-none-match'] === undefined,
  ).length;
}

describe('ranges of content that the peers hold', () => {
  let daemon: ProxiedDaemon;
  let origin: Origin;
  before(async () => {
    origin = await startOrigin(serveBody(content, { etag: '"v1"', 'last-modified': 'Fri, 20 Nov 2026 10:00:00 GMT' }));
    daemon = await startDaemon({ proxy: { proxies: [{ regx: '/file' }] } });
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });
  const range = (value: string, more: Record<string, string> = {}) =>
    ask(daemon, `${origin.url}/file`, { headers: { Range: value, ...more } });

  test('the whole, then again from this node: one request to the origin', async () => {
    const first = await ask(daemon, `${origin.url}/file?Signature=one`);
    assert.equal(first.status, 200);
    assert.ok(first.body.equals(content));
    assert.equal(first.headers['content-length'], String(content.length));
    assert.equal(first.headers.etag, '"v1"');
    assert.match(String(first.headers['x-dragonfly-task-id']), /^[0-9a-f]{64}$/);
    // The last byte is here a moment before the download has ended.
    const second = await waitFor('an answer from the store', async () => {
      const answer = await ask(daemon, `${origin.url}/file?Signature=two`);
      assert.ok(answer.body.equals(content));
      return answer.headers['x-dragonfly-task-download-finished'] === 'true' && answer;
    });
    assert.equal(second.headers['x-dragonfly-task-id'], first.headers['x-dragonfly-task-id']);
    assert.equal(gets(origin), 1);
  });

  const cases: [string, number, number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=0-99', 0, 100],
    [`bytes=${4 * 2 ** 20 - 10}-${4 * 2 ** 20 + 9}`, 4 * 2 ** 20 - 10, 20],
    [`bytes=${content.length - 1}-`, content.length - 1, 1],
    ['bytes=-5', content.length - 5, 5],
    [`bytes=5-${content.length * 2}`, 5, content.length - 5],
  ];
  for (const [header, start, length] of cases) {
    test(`${header}: 206 with the true total`, async () => {
      const answer = await range(header);
      assert.equal(answer.status, 206);
      assert.equal(answer.headers['content-range'], `bytes ${start}-${start + length - 1}/${content.length}`);
      assert.equal(answer.headers['content-length'], String(length));
      assert.ok(answer.body.equals(content.subarray(start, start + length)));
    });
  }

  test('outside the content: 416 with the true total', async () => {
    const answer = await range(`bytes=${content.length}-`);
    assert.equal(answer.status, 416);
    assert.equal(answer.headers['content-range'], `bytes */${content.length}`);
  });

  test('outside the content the origin says so in its own words, and this node when it is away', async () => {
    const body = '<Error><Code>InvalidRange</Code></Error>';
    const origin = await startOrigin((request, response) => {
      if (request.headers.range?.startsWith(`bytes=${content.length}`) !== true)
        return serveBody(content, { etag: '"outside"' })(request, response);
      const place = `bytes */${content.length}`;
      response.writeHead(416, {
        'content-type': 'application/xml',
        'content-range': place,
        'content-length': body.length,
      });
      response.end(body);
    });
    const url = `${origin.url}/file-outside`;
    assert.ok((await ask(daemon, url)).body.equals(content));
    const told = await ask(daemon, url, { headers: { Range: `bytes=${content.length}-` } });
    assert.deepEqual([told.status, told.body.toString()], [416, body]);
    assert.equal(told.headers['content-type'], 'application/xml');
    await origin[Symbol.asyncDispose]();
    const away = await ask(daemon, url, { headers: { Range: `bytes=${content.length}-` } });
    assert.equal(away.status, 416);
    assert.equal(away.headers['content-range'], `bytes */${content.length}`);
  });

  test('several ranges come as multipart/byteranges', async () => {
    const answer = await range('bytes=0-3, 8388600-8388615, -4');
    assert.equal(answer.status, 206);
    const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(answer.headers['content-type'] ?? '')?.[1] ?? '';
    const part = (start: number, end: number) =>
      Buffer.concat([
        Buffer.from(
          `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${start}-${end}/${content.length}\r\n\r\n`,
        ),
        content.subarray(start, end + 1),
      ]);
    const expected = Buffer.concat([
      part(0, 3),
      part(8388600, 8388615),
      part(content.length - 4, content.length - 1),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    assert.ok(answer.body.equals(expected));
    assert.equal(answer.headers['content-length'], String(expected.length));
  });

  test('If-Range: the part while the content is the same, the whole when it is not', async () => {
    assert.equal((await range('bytes=0-9', { 'If-Range': '"v1"' })).status, 206);
    const whole = await range('bytes=0-9', { 'If-Range': '"v0"' });
    assert.equal(whole.status, 200);
    assert.equal(whole.body.length, content.length);
  });

  test('If-None-Match: 304 without a body', async () => {
    const answer = await ask(daemon, `${origin.url}/file`, { headers: { 'If-None-Match': '"v1"' } });
    assert.equal(answer.status, 304);
    assert.equal(answer.body.length, 0);
  });

  test('HEAD asks the origin', async () => {
    const answer = await ask(daemon, `${origin.url}/file`, { method: 'HEAD' });
    assert.equal(answer.headers['content-length'], String(content.length));
    assert.equal(answer.body.length, 0);
  });
});

describe('downloads through the proxy', () => {
  test('a blob has one identity by any name of the registry, and its digest is verified', async () => {
    await using origin = await startOrigin(serveBody(content));
    await using daemon = await startDaemon();
    const mirror = (repository: string, registry = origin.url) =>
      ask(daemon, `/v2/${repository}/blobs/${digest}`, { headers: { 'X-Dragonfly-Registry': registry } });
    const [one, two] = await Promise.all([mirror('a/b'), mirror('c')]);
    assert.ok(one.body.equals(content) && two.body.equals(content));
    assert.equal(one.headers['x-dragonfly-task-id'], digest.slice(7));
    const three = await mirror('d', origin.url.replace('127.0.0.1', 'localhost'));
    assert.ok(three.body.equals(content));
    assert.equal(gets(origin, '/blobs/'), 1);
  });

  test('a forged blob never ends well', async () => {
    await using origin = await startOrigin(serveBody(Buffer.concat([content.subarray(1), Buffer.from('x')])));
    await using daemon = await startDaemon();
    const forged = ask(daemon, `/v2/a/blobs/${digest}`, { headers: { 'X-Dragonfly-Registry': origin.url } });
    await assert.rejects(forged, { code: 'ECONNRESET' });
  });

  test('a hundred readers of a cold blob cost the origin one copy', async () => {
    const small = content.subarray(0, 300_000);
    const path = `/v2/a/blobs/sha256:${createHash('sha256').update(small).digest('hex')}`;
    await using origin = await startOrigin(serveBody(small));
    await using daemon = await startDaemon();
    const headers = { 'X-Dragonfly-Registry': origin.url };
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(daemon, path, { headers })));
    assert.ok(answers.every(({ body }) => body.equals(small)));
    assert.equal(gets(origin), 1);
  });

  test('content of unknown length is streamed whole', async () => {
    await using origin = await startOrigin((_request, response) => response.end(content));
    await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
    const answer = await ask(daemon, `${origin.url}/chunked`);
    assert.ok(answer.body.equals(content));
  });

  test('what the origin refuses comes back in its own words', async () => {
    await using origin = await startOrigin((_request, response) =>
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="https://auth/token"' }).end('no'),
    );
    await using daemon = await startDaemon();
    const answer = await ask(daemon, `/v2/a/blobs/${digest}`, { headers: { 'X-Dragonfly-Registry': origin.url } });
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="https://auth/token"');
  });

  test('the origin breaking off for good breaks the connection', async () => {
    const part = content.subarray(0, 5 * 2 ** 20);
    await using origin = await startOrigin((request, response) => {
      if (request.headers.range === 'bytes=0-0') return serveBody(content)(request, response);
      response.writeHead(200, { 'content-length': content.length, 'accept-ranges': 'none' });
      return void response.write(part, () => response.destroy());
    });
    await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
    await assert.rejects(ask(daemon, `${origin.url}/broken`));
  });

  for (const [validator, ends] of [
    ['"v1"', true],
    ['W/"v1"', false],
  ] as const) {
    test(`a download that gives up half-way ${ends ? 'goes on from' : 'is not mixed with other content of'} the source, ETag ${validator}`, async () => {
      let served = 0;
      await using origin = await startOrigin((request, response) => {
        const file = serveBody(content, { etag: validator });
        if (request.headers.range === 'bytes=0-0') return file(request, response);
        served += 1;
        // The download takes no for an answer; what asks then is the proxy, going on for its client.
        if (served > 2) return file(request, response);
        if (served > 1) return void response.writeHead(404, { 'content-length': 0 }).end();
        response.writeHead(200, { 'content-length': content.length, 'accept-ranges': 'bytes', etag: validator });
        return void response.write(content.subarray(0, 5 * 2 ** 20), () => response.destroy());
      });
      await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
      const answer = ask(daemon, `${origin.url}/half`);
      if (!ends) return assert.rejects(answer);
      assert.ok((await answer).body.equals(content));
      const fallbacks = await daemon.service.registry.getSingleMetricAsString(
        'dragonfly_dfdaemon_proxy_fallback_total',
      );
      assert.match(fallbacks, /reason="SOURCE_STATUS"\} 1/);
    });
  }

  test('X-Dragonfly-Use-P2P takes any URL to the peers; tags tell tasks apart', async () => {
    await using origin = await startOrigin(serveBody(content, { etag: '"v1"' }));
    await using daemon = await startDaemon();
    const viaPeers = (headers: Record<string, string>) =>
      ask(daemon, `${origin.url}/x`, { headers: { 'X-Dragonfly-Use-P2P': 'true', ...headers } });
    const plain = await viaPeers({});
    const tagged = await viaPeers({ 'X-Dragonfly-Tag': 't' });
    assert.ok(plain.body.equals(content) && tagged.body.equals(content));
    assert.notEqual(plain.headers['x-dragonfly-task-id'], tagged.headers['x-dragonfly-task-id']);
  });

  test('content that changed at the origin is not served from here', async () => {
    let current = { body: Buffer.from('first'), etag: '"1"' };
    await using origin = await startOrigin((request, response) =>
      serveBody(current.body, { etag: current.etag })(request, response),
    );
    await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }], access: { ttl: '0s' } } });
    assert.equal((await ask(daemon, `${origin.url}/x`)).body.toString(), 'first');
    current = { body: Buffer.from('second'), etag: '"2"' };
    assert.equal((await ask(daemon, `${origin.url}/x`)).body.toString(), 'second');
  });

  test('with prefetch a part is answered as soon as it is there, not when the rest has come', async () => {
    const gate = Promise.withResolvers<void>();
    await using origin = await startOrigin((request, response) => {
      if (request.method === 'HEAD') return serveBody(content)(request, response);
      response.writeHead(200, { 'content-length': content.length, 'accept-ranges': 'bytes' });
      response.write(content.subarray(0, 5 * 2 ** 20));
      return void gate.promise.then(() => response.end(content.subarray(5 * 2 ** 20)));
    });
    await using daemon = await startDaemon({ proxy: { prefetch: true } });
    const headers = { 'X-Dragonfly-Registry': origin.url };
    // in the piece that has only begun, then in the one before it, which is complete by then
    for (const start of [4 * 2 ** 20 + 100, 100]) {
      const Range = `bytes=${start}-${start + 899}`;
      const part = await ask(daemon, `/v2/a/blobs/${digest}`, { headers: { ...headers, Range } });
      assert.equal(part.status, 206);
      assert.ok(part.body.equals(content.subarray(start, start + 900)));
    }
    gate.resolve(); // without it the whole never comes
    assert.ok((await ask(daemon, `/v2/a/blobs/${digest}`, { headers })).body.equals(content));
    assert.equal(gets(origin), 1);
  });

  test('a client that leaves does not disturb the others', async () => {
    const gate = Promise.withResolvers<void>();
    await using origin = await startOrigin((request, response) => {
      if (request.method === 'HEAD') return serveBody(content)(request, response);
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 5 * 2 ** 20));
      return void gate.promise.then(() => response.end(content.subarray(5 * 2 ** 20)));
    });
    await using daemon = await startDaemon();
    const { request } = await import('node:http');
    const options = {
      host: '127.0.0.1',
      port: daemon.port,
      path: `/v2/a/blobs/${digest}`,
      headers: { 'X-Dragonfly-Registry': origin.url },
      agent: false,
    };
    const leaver = request(options).end();
    const [message] = await once(leaver, 'response');
    await once(message, 'data');
    const stayer = ask(daemon, options.path, { headers: options.headers });
    leaver.destroy();
    leaver.on('error', () => undefined);
    gate.resolve();
    assert.ok((await stayer).body.equals(content));
  });
});
