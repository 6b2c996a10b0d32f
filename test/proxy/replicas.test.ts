/** An object that each replica of its origin names in its own way: parts of it are the origin's own answer. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ask, serveBody, startDaemon, startOrigin } from './support/proxy-fixture.ts';

test('a part of an object whose entity tag differs between question and fetch arrives', async () => {
  await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
  const content = randomBytes(9_000_000);
  let fetches = 0;
  await using origin = await startOrigin((request, response) => {
    if (request.headers.range !== 'bytes=0-0') fetches += 1;
    serveBody(content, { etag: fetches > 1 ? '"replica-2"' : '"replica-1"' })(request, response);
    if (request.headers.range === 'bytes=0-0') fetches = Math.min(fetches, 1);
  });
  for (const start of [100, 5_000_000, 7_000_000]) {
    const answer = await ask(daemon, `${origin.url}/file`, { headers: { range: `bytes=${start}-${start + 99}` } });
    assert.equal(answer.status, 206);
    assert.ok(answer.body.equals(content.subarray(start, start + 100)), `from ${start}`);
  }
});
