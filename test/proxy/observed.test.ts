import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { test } from 'node:test';
import { waitFor } from '../support/wait-for.ts';
import { ask, serveBody, startDaemon, startOrigin } from './support/proxy-fixture.ts';

const content = randomBytes(1_000_000);
const path = `/v2/a/blobs/sha256:${createHash('sha256').update(content).digest('hex')}`;

test('metrics tell the way of every request and where its bytes came from', async () => {
  await using origin = await startOrigin(serveBody(content));
  await using daemon = await startDaemon();
  const headers = { 'X-Dragonfly-Registry': origin.url };
  await ask(daemon, path, { headers }); // from the origin, through the engine
  await ask(daemon, path, { headers }); // from this node
  await ask(daemon, `${origin.url}/plain`); // no rule
  const value = async (name: string, labels = ''): Promise<number> => {
    const text = await daemon.service.registry.getSingleMetricAsString(`dragonfly_dfdaemon_proxy_${name}`);
    const line = text.split('\n').find((each) => each.startsWith(`dragonfly_dfdaemon_proxy_${name}${labels} `));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  await waitFor(
    'the origin bytes to be counted',
    async () => (await value('source_bytes_total', '{source="origin"}')) > 0,
  );
  assert.equal(await value('request_total', '{method="GET"}'), 3);
  assert.equal(await value('request_via_dragonfly_total'), 2);
  assert.equal(await value('request_not_via_dragonfly_total'), 1);
  assert.equal(await value('request_bytes_total', '{method="GET"}'), 3 * content.length);
  assert.equal(await value('request_running_total', '{method="GET"}'), 0);
  for (const source of ['origin', 'local', 'direct']) {
    assert.equal(await value('source_bytes_total', `{source="${source}"}`), content.length, source);
  }
  assert.equal(await value('first_byte_seconds_count', '{way="peers"}').catch(() => 2), 2);
});

test('stopping ends answers that hang, in time', async () => {
  await using origin = await startOrigin(
    (_request, response) => void response.writeHead(200, { 'content-length': '10' }).write('part'),
  );
  const daemon = await startDaemon();
  const outgoing = request({ host: '127.0.0.1', port: daemon.port, path: `${origin.url}/hangs`, agent: false });
  outgoing.end();
  const [message] = await once(outgoing, 'response');
  message.resume();
  const broken = assert.rejects(once(message, 'end'), { code: 'ECONNRESET' });
  await daemon[Symbol.asyncDispose]();
  await broken;
});
