/** A registry's redirects, upload locations and further pages that are relative lead to the same registry at the mirror as well. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  ask,
  startDaemon,
  startOrigin,
  type Answer,
  type Origin,
  type ProxiedDaemon,
} from '../support/proxy-fixture.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('relative references of a registry', () => {
  const closers = new AsyncDisposableStack();
  let registry: Origin;
  let node: ProxiedDaemon;
  /** The configured registry lies below a path. */
  let below: ProxiedDaemon;
  before(async () => {
    registry = closers.use(
      await startOrigin(({ method, url = '' }, response) => {
        const prefix = url.startsWith('/registry/') ? '/registry' : '';
        const path = url.slice(prefix.length);
        if (/^\/storage\/x\?sig=1$/.test(url)) return void response.writeHead(200, { 'content-length': 0 }).end();
        if (path === '/v2/a/tags/list')
          return void response.writeHead(200, { link: `<${prefix}/v2/a/tags/list?last=b>; rel="next"` }).end('first');
        if (path === '/v2/a/tags/list?last=b') return void response.writeHead(200).end('second');
        if (path === `/v2/a/blobs/${digest}`)
          return void response.writeHead(307, { location: '/storage/x?sig=1' }).end();
        if (path === '/v2/a/manifests/moved')
          return void response.writeHead(307, { location: `${prefix}/v2/b/manifests/v1` }).end();
        if (path === '/v2/b/manifests/v1') return void response.writeHead(200, { 'content-length': 2 }).end('{}');
        if (path === '/v2/a/blobs/uploads/' && method === 'POST')
          return void response.writeHead(202, { location: `${prefix}/v2/a/blobs/uploads/1?state=x` }).end();
        if (path === '/v2/a/blobs/uploads/1?state=x') return void response.writeHead(201).end();
        response.writeHead(404).end();
      }),
    );
    node = closers.use(await startDaemon());
    below = closers.use(await startDaemon({ proxy: { registryMirror: { url: `${registry.url}/registry` } } }));
  });
  after(() => closers.disposeAsync());

  /** As a client goes on from an answer of the mirror. */
  async function follow(from: ProxiedDaemon, asked: string, reference = '', method = 'GET'): Promise<Answer> {
    const url = new URL(reference, `${from.url}${asked}`);
    const there = url.origin === from.url ? from : { port: Number(url.port) };
    return ask(there, `${url.pathname}${url.search}`, { method });
  }

  const ways = {
    "containerd's ns": () => ({ from: node, path: '/v2', query: `?ns=${encodeURIComponent(registry.host)}` }),
    'the path': () => ({ from: node, path: `/v2/dragonfly.via.http/${registry.host.replace(':', '_')}`, query: '' }),
    'the configuration, with a path': () => ({ from: below, path: '/v2', query: '' }),
  };
  for (const [name, way] of Object.entries(ways)) {
    test(`a redirect, the registry named by ${name}`, async () => {
      const { from, path, query } = way();
      const asked = `${path}/a/blobs/${digest}${query}`;
      const { status, headers } = await ask(from, asked, { method: 'HEAD' });
      assert.equal(status, 307);
      assert.equal((await follow(from, asked, headers.location, 'HEAD')).status, 200);
    });
    test(`a manifest elsewhere, the registry named by ${name}`, async () => {
      const { from, path, query } = way();
      const asked = `${path}/a/manifests/moved${query}`;
      const { status, headers } = await ask(from, asked);
      assert.equal(status, 307);
      assert.equal((await follow(from, asked, headers.location)).body.toString(), '{}');
    });
    test(`the next page, the registry named by ${name}`, async () => {
      const { from, path, query } = way();
      const asked = `${path}/a/tags/list${query}`;
      const { headers } = await ask(from, asked);
      const [, next] = /^<(.+)>; rel="next"$/.exec(String(headers.link)) ?? [];
      assert.equal((await follow(from, asked, next)).body.toString(), 'second');
    });
    test(`an upload, the registry named by ${name}`, async () => {
      const { from, path, query } = way();
      const asked = `${path}/a/blobs/uploads/${query}`;
      const { headers } = await ask(from, asked, { method: 'POST' });
      assert.equal((await follow(from, asked, headers.location, 'PUT')).status, 201);
    });
  }

  test('where the mirror means the same registry anyway, they stay as they are', async () => {
    const headers = { 'X-Dragonfly-Registry': registry.url };
    const answer = await ask(node, `/v2/a/blobs/${digest}`, { method: 'HEAD', headers });
    assert.equal(answer.headers.location, '/storage/x?sig=1');
  });
});
