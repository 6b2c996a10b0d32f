/** What an origin tells of an object reaches every client that gets all of it, also from the store. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ask, serveBody, startDaemon, startOrigin } from './proxy-fixture.ts';

test('checksums of the whole come with the whole from the store, and never with a part', async () => {
  await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
  const content = randomBytes(300_000);
  const checksums = { 'content-md5': 'of-the-whole', 'x-amz-checksum-crc32': 'of-the-whole' };
  await using origin = await startOrigin((request, response) => {
    const told = request.headers.range === undefined ? checksums : { 'content-md5': 'of-the-part' };
    serveBody(content, { etag: '"v1"', ...told })(request, response);
  });
  for (let round = 0; round < 3; round += 1) {
    const whole = await ask(daemon, `${origin.url}/file`);
    assert.ok(whole.body.equals(content));
    for (const [name, value] of Object.entries(checksums)) assert.equal(whole.headers[name], value, `round ${round}`);
    const part = await ask(daemon, `${origin.url}/file`, { headers: { range: 'bytes=5-9' } });
    assert.ok(part.body.equals(content.subarray(5, 10)));
    for (const name of Object.keys(checksums)) assert.equal(part.headers[name], undefined);
  }
});

test('a part that nobody has asked for is passed on as it is', async () => {
  await using daemon = await startDaemon({ proxy: { proxies: [{ regx: '.*' }] } });
  const place = { 'content-range': 'bytes 0-1/2', 'content-length': '2' };
  await using origin = await startOrigin((_request, response) => {
    response.writeHead(206, { etag: '"v1"', ...place }).end('ok');
  });
  for (let round = 0; round < 2; round += 1) {
    const answer = await ask(daemon, `${origin.url}/odd`);
    assert.deepEqual([answer.status, answer.headers['content-range']], [206, place['content-range']]);
  }
});
