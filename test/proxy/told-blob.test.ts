/** A blob's header goes out with the registry's word; what comes after it is right, or a broken connection. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage, type RequestListener } from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import { LocalSwarm } from '../support/local-swarm.ts';
import {
  ask,
  isProbe,
  serveBody,
  startDaemon,
  startOrigin,
  type Origin,
  type ProxiedDaemon,
} from './support/proxy-fixture.ts';

const content = randomBytes(5 * 2 ** 20 + 17);
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
const path = `/v2/a/blobs/${digest}`;
const serve = serveBody(content, { etag: '"v1"', 'docker-content-digest': digest });
const deadline = { timeout: 60_000 };

describe('the header of a cold blob', () => {
  let daemon: ProxiedDaemon;
  let origin: Origin;
  let head: RequestListener;
  let get: RequestListener;
  let arrived: PromiseWithResolvers<void>;
  before(async () => {
    origin = await startOrigin((incoming, answer) => {
      if (incoming.headers.range === 'bytes=0-0') return head(incoming, answer);
      arrived.resolve();
      get(incoming, answer);
    });
  });
  after(() => origin[Symbol.asyncDispose]());
  beforeEach(async (context) => {
    [head, get, arrived] = [serve, serve, Promise.withResolvers()];
    daemon = await startDaemon();
    if ('after' in context) context.after(() => daemon[Symbol.asyncDispose]());
  });

  const headers = (): Record<string, string> => ({ 'X-Dragonfly-Registry': origin.url });
  const whole = () => ask(daemon, path, { headers: headers() });
  async function begin(): Promise<IncomingMessage> {
    const outgoing = request({ host: '127.0.0.1', port: daemon.port, path, headers: headers(), agent: false });
    outgoing.end();
    const [message] = (await once(outgoing, 'response')) as [IncomingMessage];
    return message;
  }
  async function bodyOf(message: IncomingMessage): Promise<Buffer> {
    const blocks: Buffer[] = [];
    for await (const block of message) blocks.push(block as Buffer);
    return Buffer.concat(blocks);
  }
  /** Nothing of the content is given until `release` is called, and the question is not answered before the content was asked for. */
  function hold(then: RequestListener): { release: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    head = (incoming, answer) => void arrived.promise.then(() => serve(incoming, answer));
    get = (incoming, answer) => void promise.then(() => then(incoming, answer));
    return { release: resolve };
  }

  test('is there before the first byte of the content, and says the same', deadline, async () => {
    const { release } = hold(serve);
    const message = await begin();
    assert.equal(message.statusCode, 200);
    assert.equal(message.headers['content-length'], String(content.length));
    assert.equal(message.headers.etag, '"v1"');
    assert.equal(message.headers['docker-content-digest'], digest);
    assert.match(String(message.headers['x-dragonfly-task-id']), /^[0-9a-f]{64}$/);
    assert.ok(message.headers['x-dragonfly-peer']);
    release();
    assert.ok((await bodyOf(message)).equals(content));
  });

  test('a caller who is refused sees no header of the content', deadline, async () => {
    head = get = (_incoming, answer) => answer.writeHead(401, { 'www-authenticate': 'Basic realm="a"' }).end();
    const answer = await whole();
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['www-authenticate'], 'Basic realm="a"');
  });

  test('content that fails behind it breaks the connection; then the status is told again', deadline, async () => {
    const { release } = hold((_incoming, answer) => answer.writeHead(403).end());
    const message = await begin();
    assert.equal(message.statusCode, 200);
    release();
    await assert.rejects(bodyOf(message));
    assert.equal((await whole()).status, 403);
  });

  test('a wrong length is a broken connection, not a short success; then the right one is told', deadline, async () => {
    const { release } = hold(serve);
    const short = { 'content-length': 1, 'content-range': 'bytes 0-0/5' };
    head = (_incoming, answer) => void arrived.promise.then(() => answer.writeHead(206, short).end('x'));
    const message = await begin();
    assert.equal(message.headers['content-length'], '5');
    release();
    await assert.rejects(bodyOf(message));
    assert.ok((await whole()).body.equals(content));
  });

  test('forged content behind it breaks the connection', deadline, async () => {
    const { release } = hold(serveBody(Buffer.alloc(content.length, 1)));
    const message = await begin();
    release();
    await assert.rejects(bodyOf(message));
  });
});

test("does not wait for the content either where a seed was faster than the registry's word", deadline, async () => {
  await using swarm = await LocalSwarm.create();
  const netAddrs = [{ type: 'tcp', addr: await swarm.startScheduler() }];
  const host = (hostname: string) => ({ host: { advertiseIP: '127.0.0.1', hostname } });
  await using _seed = await startDaemon({
    more: { ...host('seed'), scheduler: { netAddrs, seedPeer: { enable: true } } },
  });
  await using node = await startDaemon({ more: { ...host('node'), scheduler: { netAddrs } } });
  const [begun, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using origin = await startOrigin((incoming, answer) => {
    // The node has heard of the seed's download by then.
    if (isProbe(incoming.headers.range)) return void begun.promise.then(() => setTimeout(serve, 500, incoming, answer));
    answer.writeHead(200, { 'content-length': content.length, 'docker-content-digest': digest }).flushHeaders();
    begun.resolve();
    void released.promise.then(() => answer.end(content));
  });
  const headers = { 'X-Dragonfly-Registry': origin.url };
  const outgoing = request({ host: '127.0.0.1', port: node.port, path, headers, agent: false }).end();
  const [message] = (await once(outgoing, 'response')) as [IncomingMessage];
  assert.equal(message.headers['content-length'], String(content.length));
  released.resolve();
  const blocks: Buffer[] = [];
  for await (const block of message) blocks.push(block as Buffer);
  assert.ok(Buffer.concat(blocks).equals(content));
});

test(
  'of a small blob that a manifest has told of, as podman asks for it, a registry is asked once, and its bytes once',
  deadline,
  async () => {
    await using swarm = await LocalSwarm.create();
    const netAddrs = [{ type: 'tcp', addr: await swarm.startScheduler() }];
    await using node = await startDaemon({ more: { host: { advertiseIP: '127.0.0.1' }, scheduler: { netAddrs } } });
    const small = Buffer.from('{"os":"linux"}'.padEnd(90));
    const config = { digest: `sha256:${createHash('sha256').update(small).digest('hex')}`, size: small.length };
    const manifest = serveBody(Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [] })));
    const blob = serveBody(small);
    await using origin = await startOrigin((incoming, answer) =>
      (incoming.url?.includes('/manifests/') === true ? manifest : blob)(incoming, answer),
    );
    const headers = { 'X-Dragonfly-Registry': origin.url, 'Docker-Distribution-Api-Version': 'registry/2.0' };
    assert.equal((await ask(node, '/v2/a/manifests/v1', { headers })).status, 200);
    const answer = await ask(node, `/v2/a/blobs/${config.digest}`, { headers });
    assert.ok(answer.body.equals(small));
    const asked = origin.seen.map(({ method, url, headers: { range } }) =>
      [method, url.split('/')[3], isProbe(range)].join(' '),
    );
    assert.deepEqual(asked.sort(), ['GET blobs false', 'GET blobs true', 'GET manifests false']);
  },
);
