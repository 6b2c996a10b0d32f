/** A model hub that gives its large files by way of chunks alone: who asks for one as a whole is counted, too. */
import { createHash } from 'node:crypto';
import { ChunkStore } from './chunk-store.ts';
import { serveBody, startOrigin, type Origin } from './proxy-fixture.ts';

export const xetFile = 'model.safetensors';

export interface XetRevision {
  readonly commit: string;
  readonly content: Buffer;
  readonly sha256: string;
  /** What the chunk store calls it; empty until it is uploaded. */
  xetHash: string;
}

export interface XetHub extends AsyncDisposable {
  readonly url: string;
  readonly store: ChunkStore;
  readonly storeUrl: string;
  /** By name of a branch. */
  readonly revisions: ReadonlyMap<string, XetRevision>;
  /** Times a file was given as a whole. */
  wholes: number;
}

/** Callers of the hub, by what they send; to nobody else it says anything. */
const callers = new Map([
  ['', 'anybody'],
  ['Bearer hf_member', 'member'],
]);

export async function startXetHub(contents: ReadonlyMap<string, Buffer>): Promise<XetHub> {
  const store = new ChunkStore();
  const revisions = new Map<string, XetRevision>();
  for (const [name, content] of contents) {
    const commit = createHash('sha1').update(name).digest('hex');
    const sha256 = createHash('sha256').update(content).digest('hex');
    revisions.set(name, { commit, content, sha256, xetHash: '' });
  }
  const find = (revision: string): XetRevision | undefined =>
    revisions.get(revision) ?? [...revisions.values()].find(({ commit }) => commit === revision);
  const state = { wholes: 0 };
  const hub: Origin = await startOrigin((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const json = (value: unknown, header: Record<string, string> = {}): void => {
      const body = JSON.stringify(value);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length, ...header });
      response.end(body);
    };
    if (path.startsWith('/cas/')) {
      const mayRead = (token: string): boolean => /^cas-(anybody|member)$/.test(token);
      return void store.answer(request, response, { path: path.slice(4), base: `${hub.url}/cas`, mayRead });
    }
    const caller = callers.get(request.headers.authorization ?? '');
    if (caller === undefined) return void response.writeHead(401, { 'content-length': 0 }).end();
    const [, kind = '', rest = ''] = /^\/(?:api\/models\/)?org\/model\/([a-z-]+)\/(.+)$/.exec(path) ?? [];
    const revision = find(rest.split('/', 1)[0] ?? '');
    if (!revision) return void response.writeHead(404, { 'content-length': 0 }).end();
    const { commit, content, sha256, xetHash } = revision;
    if (kind === 'xet-read-token')
      return json(
        {},
        {
          'x-xet-cas-url': `${hub.url}/cas`,
          'x-xet-access-token': `cas-${caller}`,
          'x-xet-token-expiration': String(Math.floor(Date.now() / 1000) + 3600),
        },
      );
    if (kind === 'revision')
      return json({ id: 'org/model', sha: commit, gated: false, siblings: [{ rfilename: xetFile }] });
    const lfs = { oid: sha256, size: content.length, pointerSize: 134 };
    if (kind === 'tree')
      return json([{ type: 'file', path: xetFile, size: content.length, oid: 'd'.repeat(40), lfs, xetHash }]);
    if (request.method === 'GET') state.wholes += 1;
    serveBody(content, {
      etag: `"${sha256}"`,
      'x-repo-commit': commit,
      'x-linked-etag': `"${sha256}"`,
      'x-linked-size': String(content.length),
      'x-xet-hash': xetHash,
      link: `<${hub.url}/api/models/org/model/xet-read-token/${commit}>; rel="xet-auth"`,
    })(request, response);
  });
  return Object.assign(state, {
    url: hub.url,
    store,
    storeUrl: `${hub.url}/cas`,
    revisions,
    [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose](),
  });
}
