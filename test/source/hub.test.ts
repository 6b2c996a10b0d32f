/** Against servers that answer as the hubs document: files by redirect to a store, listings in pages. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { FileOrigin } from '../cli/file-origin.ts';
import { rejects, sourceConformance, type Origin } from './conformance.ts';

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
});
