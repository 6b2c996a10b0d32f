/** Stores that take or tell parts in words of their own: nobody takes a part for the whole, or the whole for a part. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { ask, serveBody, startDaemon, startOrigin, type Answer, type ProxiedDaemon } from '../support/proxy-fixture.ts';

const content = randomBytes(3_000_000);
const part = content.subarray(1000, 2000);
const etag = '"one"';

void describe('parts in other words', () => {
  let swarm: LocalSwarm;
  const nodes: ProxiedDaemon[] = [];
  before(async () => {
    swarm = await LocalSwarm.create();
    await swarm.startScheduler();
    for (const _ of ['one', 'two'])
      nodes.push(await startDaemon({ schedulers: swarm.schedulerAddresses, proxy: { proxies: [{ regx: '.*' }] } }));
  });
  after(async () => {
    for (const node of nodes) await node[Symbol.asyncDispose]();
    await swarm[Symbol.asyncDispose]();
  });

  const at = (node: number, url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
    ask({ port: nodes[node]?.port ?? 0 }, url, { method, headers });

  test('a range in a field of the store’s own is the store’s answer, whatever is held', async () => {
    await using store = await startOrigin((request, response) => {
      const { 'x-ms-range': own, 'if-none-match': condition } = request.headers;
      if (condition === etag) return void response.writeHead(304, { etag }).end();
      if (own !== undefined) request.headers.range = String(own);
      serveBody(content, { etag })(request, response);
    });
    const url = `${store.url}/blob?sv=2025-01-05&sr=b&sig=abc`;
    for (const node of [0, 0, 1]) {
      const given = await at(node, url, { 'x-ms-range': 'bytes=1000-1999' });
      assert.deepEqual([given.status, given.body.equals(part)], [206, true], 'cold and held');
      const whole = await at(node, url);
      assert.deepEqual([whole.status, whole.body.equals(content)], [200, true]);
    }
  });

  test('a shared key covers the range and every condition: no request goes out without its signature', async () => {
    const covered = ({ range = '', 'if-none-match': condition = '' }: Record<string, unknown>): string =>
      `SharedKey account:${Buffer.from(`${String(range)}|${String(condition)}`).toString('base64')}`;
    let refused = 0;
    await using store = await startOrigin((request, response) => {
      if (request.headers.authorization === covered(request.headers))
        return serveBody(content, { etag })(request, response);
      refused += 1;
      response.writeHead(403, { 'content-length': 0 }).end();
    });
    const range = 'bytes=1000-1999';
    for (const node of [0, 0, 1, 1]) {
      const whole = await at(node, `${store.url}/blob`, { authorization: covered({}) });
      assert.ok(whole.body.equals(content));
      const given = await at(node, `${store.url}/blob`, { range, authorization: covered({ range }) });
      assert.deepEqual([given.status, given.body.equals(part)], [206, true]);
    }
    assert.equal(refused, 0);
  });

  test('a 200 that is a part by its Content-Range is never the whole', async () => {
    await using odd = await startOrigin((request, response) => {
      if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end();
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      if (first === undefined) return serveBody(content, { etag })(request, response);
      const body = content.subarray(Number(first), Number(last) + 1);
      const place = `bytes ${first}-${last}/${content.length}`;
      response.writeHead(200, { etag, 'content-range': place, 'content-length': body.length }).end(body);
    });
    for (const path of ['whole-first', 'part-first'])
      for (const node of [0, 0, 1]) {
        const asks = [
          async () => assert.ok((await at(node, `${odd.url}/${path}`)).body.equals(content), path),
          async () => {
            const { body } = await at(node, `${odd.url}/${path}`, { range: 'bytes=1000-1999' });
            assert.ok(body.equals(part), path);
          },
        ];
        for (const one of path === 'whole-first' ? asks : asks.toReversed()) await one();
      }
  });

  test('HEAD of what is held is answered while the origin is down, to whom GET is', async () => {
    const mine = { authorization: 'Bearer mine' };
    const origin = await startOrigin((request, response) => {
      if (request.headers.authorization !== mine.authorization) return void response.writeHead(401).end();
      if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end();
      serveBody(content, { etag, 'content-type': 'application/x-own' })(request, response);
    });
    const url = `${origin.url}/object`;
    await at(0, url, mine);
    await origin[Symbol.asyncDispose]();
    const { status, headers, body } = await at(0, url, mine, 'HEAD');
    assert.deepEqual([status, body.length], [200, 0]);
    assert.deepEqual(
      [headers.etag, headers['content-length'], headers['content-type']],
      [etag, String(content.length), 'application/x-own'],
    );
    assert.equal((await at(0, url, { ...mine, 'if-none-match': etag }, 'HEAD')).status, 304);
    assert.equal((await at(0, url, {}, 'HEAD')).status, 502);
    assert.equal((await at(1, url, mine, 'HEAD')).status, 502, 'nothing was proven to that node');
  });
});
