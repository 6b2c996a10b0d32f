/** Content that an origin chooses by request fields, and a 304 to one caller, open and tell nothing that another caller was given. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ask, serveBody, startDaemon, startOrigin } from '../support/proxy-fixture.ts';

const content = Buffer.alloc(300_000, 'for the owner. ');
const proxies = [{ regx: '.*' }];

describe('an origin that says "not modified" to anybody', () => {
  for (const vary of [undefined, 'Accept'])
    test(`with Vary: ${vary}`, async () => {
      const header = { etag: '"v1"', ...(vary !== undefined && { vary }) };
      await using origin = await startOrigin((request, response) => {
        if (request.headers['if-none-match'] === '"v1"') return void response.writeHead(304, header).end();
        if (request.headers.authorization !== 'Bearer owner') return void response.writeHead(403).end('no');
        serveBody(content, header)(request, response);
      });
      await using node = await startDaemon({ proxy: { proxies } });
      const get = (who: string, accept: string) =>
        ask(node, `${origin.url}/x`, { headers: { authorization: `Bearer ${who}`, accept } });
      for (let count = 0; count < 2; count += 1) assert.deepEqual((await get('owner', 'application/x')).body, content);
      // A choice that is not stored proves nothing about the one that is.
      for (const accept of ['application/x', 'application/other', 'application/x'])
        assert.equal((await get('stranger', accept)).body.includes('for the owner'), false, accept);
    });
});

test('a 304 to one caller comes with nothing that another was told', async () => {
  await using origin = await startOrigin((request, response) => {
    const who = String(request.headers.authorization).slice('Bearer '.length);
    if (request.headers['if-none-match'] === '"v1"') return void response.writeHead(304, { etag: '"v1"' }).end();
    serveBody(content, { etag: '"v1"', 'content-type': 'text/x', 'x-account': who })(request, response);
  });
  await using node = await startDaemon({ proxy: { proxies } });
  for (const who of ['bob', 'alice', 'bob', 'alice']) {
    const before = origin.seen.length;
    const { headers, body } = await ask(node, `${origin.url}/y`, { headers: { authorization: `Bearer ${who}` } });
    assert.equal(origin.seen.length > before, true);
    assert.deepEqual(body, content);
    assert.equal(headers['content-type'], 'text/x');
    const told = headers['x-account']?.toString() ?? 'nothing';
    assert.ok(told === who || told === 'nothing', `${who} was told of ${told}`);
  }
});
