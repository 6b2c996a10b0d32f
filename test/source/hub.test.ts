/** Against servers that answer as the hubs document: files by redirect to a store, listings in pages. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { FileOrigin } from '../cli/file-origin.ts';
import { startOrigin } from '../proxy/support/proxy-fixture.ts';
import { bytesOf, rejects, sourceConformance, type Origin } from './conformance.ts';

const pageSize = 2;

/** @param prefix of repositories' pages; the API is below `/api/<kind>/`. */
async function startHuggingFace(scheme: string, kind: string): Promise<Origin> {
  const store = await FileOrigin.start();
  const repository = `${kind === 'models' ? '' : `${kind}/`}Owner/Name`;
  const hub = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    if (request.headers.authorization !== 'Bearer token') return void response.writeHead(401).end();
    const file = decodeURIComponent(url.pathname.split(`/${repository}/resolve/v1.0/`)[1] ?? '');
    if (store.files.has(file)) {
      return void response.writeHead(302, { location: `${store.url}/${encodeURI(file)}?signed=1` }).end();
    }
    const [, directory] = url.pathname.split(`/api/${kind}/Owner/Name/tree/v1.0`);
    if (directory === undefined) return void response.writeHead(404).end();
    const prefix = directory === '' ? '' : `${decodeURIComponent(directory.slice(1))}/`;
    const below = [...store.files].filter(([name]) => name.startsWith(prefix));
    const entries = new Map(
      below.map(([name, content]): [string, object] => {
        const [first = '', ...rest] = name.slice(prefix.length).split('/');
        const path = prefix + first;
        return [
          path,
          rest.length > 0 ? { type: 'directory', path, size: 0 } : { type: 'file', path, size: content.length },
        ];
      }),
    );
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const more = from + pageSize < entries.size;
    const next = `<http://${request.headers.host}${url.pathname}?cursor=${from + pageSize}>; rel="next"`;
    response.writeHead(200, { 'content-type': 'application/json', ...(more && { link: next }) });
    response.end(JSON.stringify([...entries.values()].slice(from, from + pageSize)));
  }).listen(0, '127.0.0.1');
  await once(hub, 'listening');
  const baseUrl = `http://127.0.0.1:${(hub.address() as AddressInfo).port}/`;
  const sources = new Sources({ logger: silentLogger });
  const put = (name: string, content: Buffer): Promise<string> => {
    store.put(name, content);
    const path = name.split('/').map(encodeURIComponent).join('/');
    return Promise.resolve(`${scheme}://${kind === 'models' ? '' : `${kind}/`}Owner/Name/${path}`);
  };
  return {
    sources,
    put,
    options: { header: {}, hub: { token: 'token', revision: 'v1.0', baseUrl } },
    badOptions: { header: {}, hub: { token: 'wrong', revision: 'v1.0', baseUrl } },
    directory: async (contents) => {
      for (const [name, content] of Object.entries(contents)) await put(`tree/${name}`, content);
      return `${scheme}://${kind}/Owner/Name/tree/`;
    },
    close: async () => {
      await sources[Symbol.asyncDispose]();
      assert.ok(
        store.requests.every(({ header }) => header.authorization === undefined),
        'the token stays with the hub',
      );
      await store[Symbol.asyncDispose]();
      hub.closeAllConnections();
      hub.close();
      await once(hub, 'close');
    },
  };
}

async function startModelScope(): Promise<Origin> {
  const files = new Map<string, Buffer>();
  const store = await FileOrigin.start();
  const hub = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    if (request.headers.authorization !== 'Bearer token') return void response.writeHead(403).end();
    assert.equal(url.searchParams.get('Revision'), 'v1.0');
    const path = url.searchParams.get('FilePath');
    if (url.pathname === '/api/v1/models/Owner/Name/repo' && path !== null && files.has(path)) {
      return void response.writeHead(302, { location: `${store.url}/${encodeURI(path)}` }).end();
    }
    const root = url.searchParams.get('Root');
    if (url.pathname !== '/api/v1/models/Owner/Name/repo/files' || root === null)
      return void response.writeHead(404).end();
    const prefix = root === '' ? '' : `${root}/`;
    const below = [...files].filter(([name]) => name.startsWith(prefix));
    const entries = new Map(
      below.map(([name, content]): [string, object] => {
        const [first = '', ...rest] = name.slice(prefix.length).split('/');
        const Path = prefix + first;
        return [Path, rest.length > 0 ? { Type: 'tree', Path, Size: 0 } : { Type: 'blob', Path, Size: content.length }];
      }),
    );
    response.end(JSON.stringify({ Code: 200, Data: { Files: [...entries.values()] } }));
  }).listen(0, '127.0.0.1');
  await once(hub, 'listening');
  const baseUrl = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
  const sources = new Sources({ logger: silentLogger });
  const put = (name: string, content: Buffer): Promise<string> => {
    files.set(name, content);
    store.put(name, content);
    return Promise.resolve(`modelscope://Owner/Name/${name.split('/').map(encodeURIComponent).join('/')}`);
  };
  return {
    sources,
    put,
    options: { header: {}, hub: { token: 'token', revision: 'v1.0', baseUrl } },
    badOptions: { header: {}, hub: { token: 'wrong', revision: 'v1.0', baseUrl } },
    directory: async (contents) => {
      for (const [name, content] of Object.entries(contents)) await put(`tree/${name}`, content);
      return 'modelscope://Owner/Name/tree/';
    },
    close: async () => {
      await sources[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      hub.closeAllConnections();
      hub.close();
      await once(hub, 'close');
    },
  };
}

const abilities = { credentials: true, directories: true };
sourceConformance('hf, models', { ...abilities, open: () => startHuggingFace('hf', 'models') });
sourceConformance('opencsg, datasets', { ...abilities, open: () => startHuggingFace('opencsg', 'datasets') });
sourceConformance('modelscope', { ...abilities, open: startModelScope });

describe('model hubs', () => {
  it('explains names that are no file', async (t) => {
    await using sources = new Sources({ logger: silentLogger });
    for (const url of ['hf://owner', 'hf://owner/name', 'hf://models/owner', 'modelscope://owner/name/']) {
      await rejects(sources.open({ url, header: {}, signal: t.signal }), 'INVALID_ARGUMENT');
    }
  });

  it('reads a revision in the name, pages behind a mirror, a listing that is compressed unasked', async (t) => {
    await using mirror = await startOrigin((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
      if (pathname === '/base/owner/name/resolve/v%2F1/a%2Bb.txt') return void response.end('content');
      if (pathname !== '/base/api/models/owner/name/tree/v%2F1') return void response.writeHead(404).end();
      const second = searchParams.get('cursor') === 'two';
      const listed = gzipSync(JSON.stringify([{ type: 'file', path: second ? 'c.txt' : 'a+b.txt', size: 7 }]));
      const link = '<https://huggingface.co/api/models/owner/name/tree/v%2F1?cursor=two>; rel="next"';
      response.writeHead(200, { 'content-encoding': 'gzip', ...(!second && { link }) });
      response.end(listed);
    });
    await using sources = new Sources({ logger: silentLogger });
    const hub = { revision: 'main', baseUrl: `${mirror.url}/base` };
    const urls: string[] = [];
    const request = { url: 'hf://owner/name@v%2F1', header: {}, hub, signal: t.signal };
    for await (const { url } of sources.list(request)) urls.push(url);
    assert.deepEqual(urls, ['hf://owner/name@v%2F1/a%2Bb.txt', 'hf://owner/name@v%2F1/c.txt']);
    const body = await sources.open({ ...request, url: urls[0] ?? '' });
    assert.equal((await bytesOf(body)).toString(), 'content');
  });

  it('tells why the hub refuses', async (t) => {
    await using hub = await startOrigin((_, response) => {
      response.writeHead(403, { 'x-error-message': 'You are not in the authorized list.' }).end();
    });
    await using sources = new Sources({ logger: silentLogger });
    const settings = { revision: 'main', baseUrl: hub.url };
    const opening = sources.open({ url: 'hf://owner/name/file', header: {}, hub: settings, signal: t.signal });
    assert.match((await rejects(opening, 'SOURCE_STATUS')).message, /not in the authorized list/);
  });
});
