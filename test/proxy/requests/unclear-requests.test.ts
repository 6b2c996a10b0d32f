/** Requests that servers read in different ways, and offers that a proxy may leave out. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import {
  ask,
  isProbe,
  serveBody,
  startDaemon,
  startOrigin,
  type Origin,
  type ProxiedDaemon,
} from '../support/proxy-fixture.ts';
import { rawClient } from '../support/raw-http.ts';

const body = Buffer.alloc(100_000, 'content');
const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
const unclear = ['items=0-5', 'bytes=0--1', 'bytes=a-b', 'bytes=', 'bytes=5-2', 'Bytes=0-5', 'bytes =0-5', 'bytes=-0'];
const many = `bytes=${Array.from({ length: 70 }, (_, index) => `${index * 10}-${index * 10}`).join(',')}`;

describe('a range that servers read in different ways', () => {
  const closers = new AsyncDisposableStack();
  let origin: Origin;
  let node: ProxiedDaemon;
  before(async () => {
    origin = closers.use(
      await startOrigin((request, response) => {
        const { range, 'if-none-match': condition } = request.headers;
        const isClear = range === undefined || ![...unclear, many].includes(range);
        if (condition === '"a"') return void response.writeHead(304, { etag: '"a"' }).end();
        if (isClear) return serveBody(body, { etag: '"a"' })(request, response);
        if (request.url?.startsWith('/strict') === true) return void response.writeHead(416).end('unclear');
        delete request.headers.range;
        serveBody(body, { etag: '"a"' })(request, response);
      }),
    );
    node = closers.use(await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } }));
  });
  after(() => closers.disposeAsync());

  for (const range of [...unclear, many])
    test(`${range.slice(0, 20)}: the origin says what comes of it`, async () => {
      for (const path of [`/v2/a/blobs/${digest}`, '/file'])
        for (const [kind, status, length] of [
          ['strict', 416, 'unclear'.length],
          ['lenient', 200, body.length],
        ] as const) {
          const url = `${origin.url}/${kind}${path}`;
          assert.equal((await ask(node, url)).body.length, body.length); // it is stored
          const got = await ask(node, url, { headers: { range } });
          assert.deepEqual([got.status, got.body.length], [status, length], `${kind}${path}`);
          const conditional = await ask(node, url, { headers: { range, 'if-none-match': '"a"' } });
          assert.equal(conditional.status, 304, `${kind}${path}`);
        }
    });
});

test('an answer about a part that leaves out the type is completed for a client of the whole', async () => {
  await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
  const whole = { 'content-type': 'application/zip', 'content-disposition': 'attachment; filename=a.zip' };
  await using origin = await startOrigin((request, response) => {
    const isPart = request.headers.range !== undefined;
    const end = isPart ? 1 : body.length;
    const place = isPart ? { 'content-range': `bytes 0-0/${body.length}` } : whole;
    response.writeHead(isPart ? 206 : 200, { etag: '"a"', 'content-length': end, ...place }).end(body.subarray(0, end));
  });
  await ask(daemon, `${origin.url}/a.zip`);
  const { headers } = await ask(daemon, `${origin.url}/a.zip`);
  assert.deepEqual([headers['content-type'], headers['content-disposition']], Object.values(whole));
});

for (const offer of ['h2c', 'TLS/1.2', 'h2c, HTTP/2.0'])
  test(`an offer of ${offer} with a request does not keep its answer from being shared`, async () => {
    await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
    await using origin = await startOrigin(serveBody(body, { etag: '"a"' }));
    using client = await rawClient(daemon.port);
    for (const count of [1, 2]) {
      client.send(
        `GET ${origin.url}/a HTTP/1.1\r\nHost: ${origin.host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${offer}\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
      );
      await client.until(new RegExp(`(?:HTTP/1\\.1 200 OK\r\n[^]*?(?:content){14285}conte){${count}}`));
    }
    assert.equal(origin.seen.filter(({ headers }) => !isProbe(headers.range)).length, 1);
    assert.equal(origin.seen[0]?.headers.upgrade, undefined);
  });

describe('Max-Forwards', () => {
  for (const method of ['OPTIONS', 'TRACE'])
    test(`${method} goes as many hops as it says`, async () => {
      await using daemon = await startDaemon();
      await using origin = await startOrigin((_request, response) => void response.writeHead(200).end('origin'));
      const to = (hops: string) =>
        ask(daemon, `${origin.url}/a`, { method, headers: { 'max-forwards': hops, authorization: 'Bearer a' } });
      const { status, body: told } = await to('0');
      assert.equal(status, 200);
      assert.doesNotMatch(told.toString(), /origin|Bearer/);
      assert.equal(origin.seen.length, 0);
      assert.equal((await to('3')).body.toString(), 'origin');
      assert.equal(origin.seen[0]?.headers['max-forwards'], '2');
    });

  test('OPTIONS * is about the proxy itself', async () => {
    await using daemon = await startDaemon();
    assert.equal((await ask(daemon, '*', { method: 'OPTIONS' })).status, 200);
  });
});
