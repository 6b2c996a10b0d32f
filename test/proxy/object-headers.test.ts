/** What an origin tells of an object reaches every client that gets all of it, also from the store. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { LocalSwarm } from '../support/local-swarm.ts';
import { ask, serveBody, startDaemon, startOrigin } from './support/proxy-fixture.ts';

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

test('what an origin chooses by a field is never another choice, though it calls all of them the same', async () => {
  await using swarm = await LocalSwarm.create();
  const addr = await swarm.startScheduler();
  const proxy = { proxies: [{ regx: '.*' }] };
  const netAddrs = [{ type: 'tcp', addr }];
  await using _seed = await startDaemon({ proxy, more: { scheduler: { netAddrs, seedPeer: { enable: true } } } });
  await using one = await startDaemon({ proxy, schedulers: [addr] });
  await using other = await startDaemon({ proxy, schedulers: [addr] });
  await using origin = await startOrigin((request, response) => {
    const { accept = '*/*', 'x-tenant': tenant = 'nobody' } = request.headers;
    const body = Buffer.from(`${accept} for ${String(tenant)}`.padEnd(200_000));
    serveBody(body, { etag: '"same"', vary: 'Accept, X-Tenant' })(request, response);
  });
  for (let round = 0; round < 2; round += 1) {
    for (const node of [one, other]) {
      for (const headers of [{ accept: 'text/html' }, { accept: 'application/json' }, { 'x-tenant': 'b' }, {}]) {
        const answer = await ask(node, `${origin.url}/simple/`, { headers });
        const { accept = '*/*', 'x-tenant': tenant = 'nobody' } = headers as Record<string, string>;
        assert.equal(answer.body.toString().trimEnd(), `${accept} for ${tenant}`);
      }
    }
  }
});
