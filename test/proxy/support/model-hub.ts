/** A model hub as clients of Hugging Face know it: a repository anybody reads, one for members, large files at a store of another host. */
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serveBody, startOrigin, type Origin } from './proxy-fixture.ts';

export const memberToken = 'Bearer hf_member';
const commit = 'a'.repeat(40);

export interface ModelHub extends AsyncDisposable {
  readonly hub: Origin;
  readonly store: Origin;
  readonly commit: string;
  readonly model: Buffer;
  readonly sha256: string;
  readonly config: Buffer;
  /** Answers everything with 429 while true. */
  refuses: boolean;
}

export async function startModelHub(): Promise<ModelHub> {
  const model = randomBytes(9 * 2 ** 20 + 123);
  const sha256 = createHash('sha256').update(model).digest('hex');
  const config = Buffer.from('{"model_type":"tiny"}');
  const blob = createHash('sha1').update(`blob ${config.length}\0`).update(config).digest('hex');
  const state = { refuses: false };
  const store = await startOrigin((request, response) => {
    if (!request.url?.includes('X-Amz-Signature=')) return void response.writeHead(403).end();
    serveBody(model, { etag: '"of-the-store"' })(request, response);
  });
  const json = (response: ServerResponse, value: unknown, header: Record<string, string> = {}): void => {
    const text = JSON.stringify(value);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length, ...header });
    response.end(text);
  };
  const tree = (hub: string, second: boolean): [unknown, Record<string, string>] =>
    second
      ? [[{ type: 'file', path: 'config.json', size: config.length, oid: blob }], {}]
      : [
          [
            {
              type: 'file',
              path: 'model.safetensors',
              size: model.length,
              oid: 'd'.repeat(40),
              lfs: { oid: sha256, size: model.length, pointerSize: 134 },
              xetHash: 'b'.repeat(64),
            },
          ],
          { link: `<${hub}/api/models/org/open/tree/main?recursive=true&cursor=2>; rel="next"` },
        ];
  const file = (request: IncomingMessage, response: ServerResponse): void => {
    if (!request.url?.endsWith('/model.safetensors')) {
      return serveBody(config, { etag: `"${blob}"`, 'x-repo-commit': commit })(request, response);
    }
    response.writeHead(302, {
      location: `${store.url}/${sha256}?X-Amz-Signature=${randomBytes(4).toString('hex')}`,
      'x-repo-commit': commit,
      'x-linked-etag': `"${sha256}"`,
      'x-linked-size': model.length,
      'x-xet-hash': 'b'.repeat(64),
      link: `<${store.url}/cas>; rel="xet-auth"`,
      'content-length': 0,
    });
    response.end();
  };
  const hub = await startOrigin((request, response) => {
    const { url = '', headers } = request;
    if (state.refuses) return void response.writeHead(429, { 'retry-after': '7', 'content-length': 0 }).end();
    if (url.startsWith('/org/gated') && headers.authorization !== memberToken) {
      return void response.writeHead(401, { 'x-error-code': 'GatedRepo', 'content-length': 0 }).end();
    }
    if (url.startsWith('/api/models?author=org&')) return json(response, [{ id: 'org/open' }, { id: 'org/gated' }]);
    if (/^\/api\/models\/org\/open\/refs$/.test(url)) {
      const branches = ['main', 'next'].map((name) => ({ name, ref: `refs/heads/${name}`, targetCommit: commit }));
      const tags = [{ name: 'v1.0', ref: 'refs/tags/v1.0', targetCommit: commit }];
      return json(response, { branches, converts: [], tags });
    }
    if (/^\/api\/models\/org\/\w+(?:\/revision\/|$)/.test(url))
      return json(response, { id: url.split('/')[4], sha: commit, gated: url.includes('/gated') ? 'manual' : false });
    if (/^\/api\/models\/org\/(?:open|gated)\/tree\//.test(url))
      return json(response, ...tree(hub.url, url.includes('cursor=2')));
    if (url === '/org/open/raw/main/config.json') {
      if (headers.accept?.includes('text/html') === true)
        return void response.writeHead(200, { 'content-type': 'text/html' }).end('<pre>');
      return file(request, response);
    }
    if (/^\/org\/(open|gated)\/resolve\/[^/]+\/(model\.safetensors|config\.json)$/.test(url))
      return file(request, response);
    response.writeHead(404, { 'x-error-code': 'EntryNotFound', 'content-length': 0 }).end();
  });
  return Object.assign(state, {
    hub,
    store,
    commit,
    model,
    sha256,
    config,
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  });
}
