/** ModelScope as its client knows it: a list of files with their digests, files by a redirect to a store, one repository for members. */
import { createHash, randomBytes } from 'node:crypto';
import { serveBody, startOrigin, type Origin } from './proxy-fixture.ts';

export interface ModelScopeHub extends AsyncDisposable {
  readonly hub: Origin;
  readonly store: Origin;
  readonly files: ReadonlyMap<string, Buffer>;
}

export const modelScopeToken = 'ms-member';

export async function startModelScopeHub(): Promise<ModelScopeHub> {
  const files = new Map([
    ['model.bin', randomBytes(9 * 2 ** 20 + 77)],
    ['configuration.json', Buffer.from('{"task":"tiny"}')],
    ['folder/empty.txt', Buffer.alloc(0)],
  ]);
  const store = await startOrigin((request, response) => {
    const content = files.get(decodeURIComponent((request.url ?? '').split('?', 1)[0]?.slice(1) ?? ''));
    if (!content || !request.url?.includes('Signature=')) return void response.writeHead(403).end();
    serveBody(content, { etag: '"of-the-store"' })(request, response);
  });
  const list = [...files].map(([Path, content]) => ({
    Path,
    Name: Path.split('/').at(-1),
    Type: 'blob',
    Size: content.length,
    Sha256: createHash('sha256').update(content).digest('hex'),
  }));
  const hub = await startOrigin((request, response) => {
    const url = new URL(request.url ?? '', 'http://hub.example');
    const json = (status: number, value: unknown): void => {
      const body = Buffer.from(JSON.stringify(value));
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const { authorization = '', cookie = '' } = request.headers;
    const isMember = authorization.includes(modelScopeToken) || cookie.includes(modelScopeToken);
    if (/^\/api\/v1\/models\/org\/\w+\/repo\/files$/.test(url.pathname))
      return json(200, { Code: 200, Success: true, Data: { Files: list } });
    if (url.pathname === '/api/v1/datasets/org/set/repo/tree') {
      const root = url.searchParams.get('Root') ?? '';
      const below = list.filter(({ Path }) => Path.startsWith(root === '' ? '' : `${root}/`));
      return json(200, { Code: 200, Success: true, Data: { Files: below } });
    }
    const linked = /^\/models\/org\/\w+\/resolve\/master\/(.+)$/.exec(url.pathname)?.[1];
    if (linked !== undefined || /^\/api\/v1\/(?:models|datasets)\/org\/\w+\/repo$/.test(url.pathname)) {
      if (url.pathname.includes('/gated/') && !isMember)
        return json(403, { Code: 10_010_205_001, Message: 'apply for access first', Success: false });
      const path = linked === undefined ? (url.searchParams.get('FilePath') ?? '') : decodeURIComponent(linked);
      if (!files.has(path)) return json(404, { Code: 10_010_205_002, Message: 'no such file', Success: false });
      const signature = randomBytes(4).toString('hex');
      const location = `${store.url}/${encodeURIComponent(path)}?Signature=${signature}`;
      return void response.writeHead(302, { location, 'content-length': 0 }).end();
    }
    json(404, { Code: 404, Message: 'not found', Success: false });
  });
  return {
    hub,
    store,
    files,
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}
