/** A hub that compresses unasked, streams, sets cookies, has buckets and old names: nobody gets what is another's, and nothing leads around the door. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ask, serveBody, startDaemon, startOrigin, type Answer, type Ask } from '../support/proxy-fixture.ts';
import type { Origin, ProxiedDaemon } from '../support/proxy-fixture.ts';

const commit = 'a'.repeat(40);
const chunks = 'b'.repeat(64);

void describe('the hub’s answers at the door', () => {
  let hub: Origin;
  let node: ProxiedDaemon;
  let answers: RequestListener = () => undefined;
  before(async () => {
    hub = await startOrigin((request, response) => answers(request, response));
    node = await startDaemon({ more: { doors: { huggingface: { endpoint: hub.url } } } });
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
    await hub[Symbol.asyncDispose]();
  });

  const at = (path: string, options: Ask = {}): Promise<Answer> =>
    ask(node, `/hf${path}`, { ...options, headers: { host: `127.0.0.1:${node.port}`, ...options.headers } });
  const json =
    (value: unknown, header: Record<string, string> = {}): RequestListener =>
    (_, response) => {
      const body = Buffer.from(JSON.stringify(value));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length, ...header });
      response.end(body);
    };
  const plain = { type: 'file', path: 'x', size: 1, oid: commit };
  const listed = { ...plain, xetHash: chunks };

  it('are what they say, also compressed without having been asked for', async () => {
    answers = (request, response) => {
      assert.equal(request.headers['accept-encoding'], 'identity');
      const header = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
      response.writeHead(200, header).end(gzipSync(JSON.stringify([listed])));
    };
    const { headers, body } = await at('/api/models/o/m/tree/zipped', { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(headers['content-encoding'], undefined);
    assert.deepEqual(JSON.parse(body.toString()), [plain]);
  });

  it('differ where the hub says by what, and outside of repositories are each caller’s own', async () => {
    const words =
      (name: string): RequestListener =>
      (request, response) =>
        json(request.headers[name] ?? 'none', { vary: 'Origin, X-Which' })(request, response);
    answers = words('x-which');
    for (const which of ['one', 'two', 'one'])
      assert.equal((await at('/api/models/o/m', { headers: { 'x-which': which } })).body.toString(), `"${which}"`);
    answers = words('user-agent');
    for (const agent of ['ollama/1', 'llama-cpp'])
      assert.equal(
        (await at('/v2/o/m/manifests/latest', { headers: { 'user-agent': agent } })).body.toString(),
        `"${agent}"`,
      );
    answers = words('git-protocol');
    for (const version of ['version=2', 'version=1']) {
      const { body } = await at('/o/m/info/refs?service=git-upload-pack', { headers: { 'git-protocol': version } });
      assert.equal(body.toString(), `"${version}"`);
    }
  });

  it('that come as a stream arrive while they are written', async () => {
    let end = (): void => undefined;
    answers = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: one\n\n');
      end = () => void response.end('data: two\n\n');
    };
    const asked = httpRequest({ port: node.port, path: '/hf/api/spaces/o/m/logs/run' }).end();
    const [message] = (await once(asked, 'response')) as [IncomingMessage];
    const blocks: string[] = [];
    for await (const block of message) {
      if (blocks.push(String(block)) === 1) end();
    }
    assert.deepEqual(blocks, ['data: one\n\n', 'data: two\n\n']);
  });

  it('are shared without the cookies that came with them', async () => {
    let count = 0;
    answers = (request, response) => json({}, { 'set-cookie': `session=${(count += 1)}` })(request, response);
    const path = '/api/models/o/cookies';
    const first = await at(path);
    const second = await at(path);
    assert.deepEqual(first.headers['set-cookie'], ['session=1']);
    assert.equal(second.headers['set-cookie'], undefined);
    const together = await Promise.all([at(`${path}?p`), at(`${path}?p`), at(`${path}?p`)]);
    const cookies = together.flatMap(({ headers }) => headers['set-cookie'] ?? []);
    assert.equal(new Set(cookies).size, cookies.length);
  });

  it('to questions by POST name no chunks either, and change nothing', async () => {
    answers = json([listed]);
    const tree = '/api/models/o/posts/tree/main';
    await at(tree);
    const asked = hub.seen.length;
    const { status, body } = await at('/api/models/o/posts/paths-info/main', {
      method: 'POST',
      body: '{"paths":["x"]}',
    });
    assert.equal(status, 200);
    assert.doesNotMatch(body.toString(), /xetHash/);
    await at(tree);
    assert.equal(hub.seen.length, asked + 1);
  });

  it('about buckets name the chunks, and tokens arrive with their header, each caller’s own', async () => {
    answers = json([listed]);
    assert.match((await at('/api/buckets/o/b/tree')).body.toString(), /xetHash/);
    let count = 0;
    answers = (request, response) => {
      const token = String((count += 1));
      const header = { 'x-xet-access-token': token, link: `<${hub.url}/api/again>; rel="xet-auth"` };
      json({ accessToken: token }, header)(request, response);
    };
    for (const path of ['/api/buckets/o/b/xet-read-token', '/api/models/o/m/xet-write-token/main'])
      for (let times = 0; times < 2; times += 1) {
        const { headers } = await at(path);
        assert.equal(headers['x-xet-access-token'], String(count));
      }
    assert.equal(count, 4);
    const { headers } = await at('/buckets/o/b/resolve/dir/x.bin', { method: 'HEAD' });
    assert.equal(headers.link, `<http://127.0.0.1:${node.port}/hf/api/again>; rel="xet-auth"`);
  });

  it('that lead to another name lead there through the door, whatever the method', async () => {
    answers = ({ url = '' }, response) =>
      void response.writeHead(307, { location: url.replace('/old/', '/new/'), 'content-length': 0 }).end();
    for (const [method, path] of [
      ['GET', '/api/models/old/m'],
      ['POST', '/api/models/old/m/paths-info/main'],
      ['POST', '/old/m.git/git-upload-pack'],
      ['GET', '/old/m/info/refs'],
    ] as const)
      assert.equal((await at(path, { method })).headers.location, `/hf${path.replace('/old/', '/new/')}`);
  });

  it('a quota that is spent is left alone until it is renewed', async () => {
    answers = json('known');
    await at('/api/models/o/quota');
    let count = 0;
    answers = (_, response) => {
      count += 1;
      response.writeHead(429, { ratelimit: '"api";r=0;t=55', 'content-length': 0 }).end();
    };
    const anew = { headers: { 'cache-control': 'no-cache' } };
    for (let times = 0; times < 3; times += 1)
      assert.equal((await at('/api/models/o/quota', anew)).body.toString(), '"known"');
    assert.equal(count, 1);
    const { status, headers } = await at('/api/models/o/unknown');
    assert.deepEqual([status, headers.ratelimit], [429, '"api";r=0;t=55']);
  });
});

void it('a file at a reference written with its slashes, and a range outside of it', async () => {
  const content = randomBytes(5000);
  const blob = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  await using hub = await startOrigin((request, response) => {
    const isFile = /^\/o\/m\/resolve\/(?:refs\/pr\/7|a{40})\/file$/.test(request.url ?? '');
    if (!isFile) return void response.writeHead(404).end();
    serveBody(content, { etag: `"${blob}"`, 'x-repo-commit': commit })(request, response);
  });
  await using node = await startDaemon({ more: { doors: { huggingface: { endpoint: hub.url } } } });
  const path = '/hf/o/m/resolve/refs/pr/7/file';
  const { status, body } = await ask(node, path);
  assert.deepEqual([status, body.equals(content)], [200, true]);
  const outside = await ask(node, path, { headers: { range: 'bytes=5000-' } });
  assert.deepEqual([outside.status, outside.headers['content-range']], [416, 'bytes */5000']);
});
