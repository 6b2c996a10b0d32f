/** Registries, and what looks like one, that are unusual but right: their own answers reach the client. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { ask, isProbe, serveBody, startDaemon, startOrigin, type ProxiedDaemon } from '../support/proxy-fixture.ts';

const digestOf = (content: Buffer, algorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;
const manifest = Buffer.from('{"schemaVersion":2}');
const blob = Buffer.alloc(80_000, 'layer');

describe('unusual registries', () => {
  const closers = new AsyncDisposableStack();
  let nodes: readonly [ProxiedDaemon, ProxiedDaemon, ProxiedDaemon];
  before(async () => {
    const swarm = closers.use(await LocalSwarm.create());
    const schedulers = [await swarm.startScheduler()];
    const proxy = { proxies: [{ regx: '.*' }] };
    const start = async (hostname: string, by: string[]) => {
      const more = { host: { advertiseIP: '127.0.0.1', hostname } };
      return closers.use(await startDaemon({ proxy, schedulers: by, more }));
    };
    nodes = [await start('alone', []), await start('first', schedulers), await start('second', schedulers)];
  });
  after(() => closers.disposeAsync());

  for (const [what, reference] of [
    ['a tag', 'v1'],
    ['its digest', digestOf(manifest)],
  ] as const)
    test(`a manifest by ${what}, with another digest in its header, is given as it came`, async () => {
      const claimed = { 'docker-content-digest': `sha256:${'1'.repeat(64)}` };
      await using registry = await startOrigin(serveBody(manifest, claimed));
      for (const node of nodes) {
        const { status, headers, body } = await ask(node, `${registry.url}/v2/a/manifests/${reference}`);
        assert.deepEqual(
          [status, headers['docker-content-digest'], body],
          [200, claimed['docker-content-digest'], manifest],
        );
      }
    });

  test('a 304 that names another manifest proves nothing', async () => {
    let isNew = false;
    await using registry = await startOrigin((request, response) => {
      if (!isNew) return serveBody(manifest, { etag: '"old"' })(request, response);
      if (request.headers['if-none-match'] === undefined)
        return void response.writeHead(200, { etag: '"new"' }).end('{}');
      response.writeHead(304, { etag: '"new"' }).end();
    });
    await ask(nodes[0], `${registry.url}/v2/a/manifests/v1`);
    isNew = true;
    assert.equal((await ask(nodes[0], `${registry.url}/v2/a/manifests/v1`)).body.toString(), '{}');
  });

  test('a blob by SHA-512 is shared although the registry tells its SHA-256', async () => {
    await using registry = await startOrigin(serveBody(blob, { 'docker-content-digest': digestOf(blob) }));
    for (const node of [...nodes, ...nodes]) {
      const { status, body } = await ask(node, `${registry.url}/v2/a/blobs/${digestOf(blob, 'sha512')}`);
      assert.ok(status === 200 && body.equals(blob));
    }
    const copies = registry.seen.filter(({ headers }) => !isProbe(headers.range));
    assert.equal(copies.length, 2, 'one for the node alone, and one for the swarm');
  });

  test('a blob that is held from one registry comes with the header of the one that was asked', async () => {
    const layer = Buffer.alloc(70_000, 'held');
    const path = `/v2/a/blobs/${digestOf(layer)}`;
    await using one = await startOrigin(serveBody(layer, { etag: '"one"', 'x-of': 'one' }));
    await using other = await startOrigin(serveBody(layer, { etag: '"other"', 'content-md5': 'of the part' }));
    for (const node of nodes) {
      await ask(node, `${one.url}${path}`);
      const { headers, body } = await ask(node, `${other.url}${path}`);
      assert.ok(body.equals(layer));
      assert.deepEqual([headers.etag, headers['x-of'], headers['content-md5']], ['"other"', undefined, undefined]);
    }
  });

  test('a blob that was deleted by way of a node is gone there', async () => {
    let isThere = true;
    await using registry = await startOrigin((request, response) => {
      if (request.method === 'DELETE') isThere = false;
      if (request.method === 'DELETE') return void response.writeHead(202).end();
      if (isThere) return serveBody(blob)(request, response);
      response.writeHead(404).end('gone');
    });
    const url = `${registry.url}/v2/b/blobs/${digestOf(blob)}`;
    assert.equal((await ask(nodes[1], url)).status, 200);
    assert.equal((await ask(nodes[1], url, { method: 'DELETE' })).status, 202);
    const { status, body } = await ask(nodes[1], url);
    assert.deepEqual([status, body.toString()], [404, 'gone']);
  });

  test('a page whose path looks like that of a manifest is a page', async () => {
    await using site = await startOrigin(serveBody(Buffer.from('<html>'), { 'content-type': 'text/html' }));
    for (const node of nodes) {
      const { status, body } = await ask(node, `${site.url}/v2/docs/manifests/intro`);
      assert.deepEqual([status, body.toString()], [200, '<html>']);
    }
  });

  for (const path of ['/models/v2/weights.bin', '/v2/weights.bin', '/pypi/v2/packages/a.whl'])
    test(`${path} is a file like others, and shared`, async () => {
      await using site = await startOrigin(serveBody(blob, { etag: '"a"' }));
      for (const node of [nodes[1], nodes[2], nodes[1]])
        assert.ok((await ask(node, `${site.url}${path}`)).body.equals(blob));
      assert.equal(site.seen.filter(({ headers }) => !isProbe(headers.range)).length, 1);
    });

  test('a rule that leads to another registry leads its manifests there, too', async () => {
    await using registry = await startOrigin(serveBody(manifest));
    await using node = await startDaemon({ proxy: { proxies: [{ regx: 'old.example', redirect: registry.host }] } });
    assert.ok((await ask(node, 'http://old.example/v2/a/manifests/v1')).body.equals(manifest));
  });
});
