/** What a registry gives to anybody is fetched without anybody's credentials, with few requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { thisProcess } from '../../src/rpc/server/caller.ts';
import { serveBody, startOrigin, type Origin } from '../proxy/support/proxy-fixture.ts';
import { bytesOf, rejects } from './conformance.ts';

const content = Buffer.from('a layer');

/** @param gives whether the token that strangers get is good for anything */
function startRegistry(gives: boolean, realm = (origin: string) => `${origin}/token`): Promise<Origin> {
  const origin: Promise<Origin> = startOrigin((request, response) => {
    if (request.url?.startsWith('/token') === true) return void response.end('{"token":"for-anybody"}');
    const right = gives ? 'Bearer for-anybody' : 'Bearer mine';
    if (request.headers.authorization === right) return serveBody(content)(request, response);
    void origin.then(({ url }) => {
      const challenge = `Bearer realm="${realm(url)}",service="r",scope="repository:a/b:pull"`;
      response.writeHead(401, { 'www-authenticate': challenge, 'content-length': 0 }).end();
    });
  });
  return origin;
}

for (const [name, header] of [
  ['without credentials', {}],
  ['with some', { authorization: 'Bearer mine' }],
] as const) {
  for (const gives of [true, false]) {
    test(`${name} at a registry that gives strangers ${gives ? 'what they want' : 'nothing'}`, async () => {
      await using registry = await startRegistry(gives);
      await using sources = new Sources({ logger: silentLogger });
      const request = (digit: string) => ({
        caller: thisProcess,
        url: `${registry.url}/v2/a/b/blobs/sha256:${digit.repeat(64)}`,
        header,
        signal: AbortSignal.timeout(20_000),
      });
      const own = name === 'with some';
      for (const digit of ['1', '2', '3']) {
        if (gives !== own) assert.deepEqual(await bytesOf(await sources.open(request(digit))), content);
        else await rejects(sources.open(request(digit)), 'SOURCE_STATUS');
      }
      const asked = registry.seen.filter(({ url }) => url.startsWith('/token'));
      assert.deepEqual(
        asked.map(({ url, headers }) => [url, headers.authorization]),
        own ? [] : [['/token?service=r&scope=repository%3Aa%2Fb%3Apull', undefined]],
      );
      assert.equal(registry.seen.length - asked.length, own ? 3 : 4, 'one more request for all three blobs');
    });
  }
}

test('no token is asked for where the registry has no business to send us', async () => {
  await using registry = await startRegistry(true, () => 'file:///etc/passwd');
  await using sources = new Sources({ logger: silentLogger });
  const url = `${registry.url}/v2/a/b/blobs/sha256:${'1'.repeat(64)}`;
  await rejects(
    sources.open({ caller: thisProcess, url, header: {}, signal: AbortSignal.timeout(20_000) }),
    'SOURCE_STATUS',
  );
});
