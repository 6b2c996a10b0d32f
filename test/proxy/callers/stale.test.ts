/** A client that takes stale answers still gets none that are another's, or that must not be used without being asked for. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { ask, serveBody, startDaemon, startOrigin } from '../support/proxy-fixture.ts';

const told = [
  ['private', 'max-age=100, private', {}],
  ['a cookie', 'max-age=1', { 'set-cookie': 'sid=1' }],
  ['must-revalidate', 'max-age=1, must-revalidate', {}],
  ['proxy-revalidate', 'max-age=1, proxy-revalidate', {}],
  ['s-maxage', 's-maxage=1', {}],
  ['no-cache', 'no-cache, max-age=100', {}],
] as const;

test('max-stale asks the origin all the same', async (t) => {
  await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
  await using origin = await startOrigin((request, response) => {
    const [, cacheControl, more] = told[Number(request.url?.slice(1))] ?? told[0];
    const date = new Date().toUTCString();
    serveBody(Buffer.alloc(100), { date, 'cache-control': cacheControl, etag: '"a"', ...more })(request, response);
  });
  for (const index of told.keys()) await ask(daemon, `${origin.url}/${index}`);
  await delay(2100); // until all are stale
  for (const [index, [name]] of told.entries())
    await t.test(name, async () => {
      const before = origin.seen.length;
      const { status } = await ask(daemon, `${origin.url}/${index}`, {
        headers: { 'cache-control': 'max-stale=1000' },
      });
      assert.equal(status, 200);
      assert.equal(origin.seen.length, before + 1);
    });
});
