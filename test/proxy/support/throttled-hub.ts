/**
 * A model hub that counts: after so many requests it answers 429. Each repository has a large file at a store of another host, which
 * is also offered by the way of chunks, and small ones in git. Everything a client could ask, and how often it did, is remembered.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serveBody, startOrigin, type Origin } from './proxy-fixture.ts';

export interface HubRepository {
  readonly commit: string;
  /** By path. */
  readonly files: ReadonlyMap<string, Buffer>;
}

export interface ThrottledHub extends AsyncDisposable {
  readonly url: string;
  readonly repositories: ReadonlyMap<string, HubRepository>;
  /** How often each question was put: method and path, without the query. */
  readonly questions: ReadonlyMap<string, number>;
  /** Bytes of large files that were given, by repository. */
  readonly given: ReadonlyMap<string, number>;
  /** Requests for large files that were answered. */
  readonly stored: { count: number };
  /** Refused for having asked too much. */
  readonly refused: { count: number };
}

export const largeFile = 'model.safetensors';
const chunkHash = 'b'.repeat(64);

/** @param limit requests that are answered before 429. @param largeBytes length of each repository's large file */
export async function startThrottledHub(
  names: readonly string[],
  limit: number,
  largeBytes = 6 * 2 ** 20 + 321,
): Promise<ThrottledHub> {
  const repositories = new Map(names.map((name) => [name, repository(name, largeBytes)]));
  const questions = new Map<string, number>();
  const given = new Map<string, number>();
  const [refused, stored] = [{ count: 0 }, { count: 0 }];
  const store = await startStore(repositories, given, stored);
  let asked = 0;
  const hub: Origin = await startOrigin((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const question = `${request.method} ${path}`;
    questions.set(question, (questions.get(question) ?? 0) + 1);
    asked += 1;
    if (asked > limit) {
      refused.count += 1;
      return void response.writeHead(429, { 'retry-after': '3', 'content-length': 0 }).end();
    }
    if (request.headers.authorization === 'Bearer hf_wrong') {
      const header = { 'x-error-message': 'Invalid credentials in Authorization header', 'content-length': 0 };
      return void response.writeHead(401, header).end();
    }
    const [, api, name = '', kind, rest = ''] =
      /^\/(api\/models\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/(.+)$/.exec(path) ?? [];
    const found = repositories.get(name);
    if (!found) return notFound(response, 'RepoNotFound');
    if (api !== undefined && kind === 'revision') return json(response, informationOf(name, found));
    if (api !== undefined && kind === 'tree') return json(response, treeOf(found));
    resolve({ name, found, path: rest.slice(rest.indexOf('/') + 1), store: store.url }, request, response);
  });
  return {
    url: hub.url,
    repositories,
    questions,
    given,
    stored,
    refused,
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

function repository(name: string, largeBytes: number): HubRepository {
  return {
    commit: createHash('sha1').update(name).digest('hex'),
    files: new Map([
      [largeFile, randomBytes(largeBytes)],
      ['config.json', Buffer.from(`{"model_type":"tiny","of":"${name}"}`)],
      ['tokenizer/vocab é.txt', randomBytes(70_000)],
      ['empty.txt', Buffer.alloc(0)],
    ]),
  };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function blobId(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

function informationOf(name: string, { commit, files }: HubRepository): unknown {
  const siblings = [...files.keys()].map((rfilename) => ({ rfilename }));
  return {
    id: name,
    modelId: name,
    sha: commit,
    private: false,
    gated: false,
    tags: [],
    downloads: 0,
    likes: 0,
    siblings,
  };
}

function treeOf({ files }: HubRepository): unknown {
  return [...files].map(([path, content]) => {
    const entry = { type: 'file', path, size: content.length, oid: blobId(content) };
    if (path !== largeFile) return entry;
    const lfs = { oid: sha256(content), size: content.length, pointerSize: 134 };
    return { ...entry, oid: 'd'.repeat(40), lfs, xetHash: chunkHash };
  });
}

interface Wanted {
  readonly name: string;
  readonly found: HubRepository;
  readonly path: string;
  readonly store: string;
}

function resolve({ name, found, path, store }: Wanted, request: IncomingMessage, response: ServerResponse): void {
  const content = found.files.get(decodeURIComponent(path));
  if (!content) return notFound(response, 'EntryNotFound');
  const header = { 'x-repo-commit': found.commit };
  if (path !== largeFile) return serveBody(content, { ...header, etag: `"${blobId(content)}"` })(request, response);
  response.writeHead(302, {
    ...header,
    location: `${store}/${name}?X-Amz-Signature=${randomBytes(4).toString('hex')}`,
    'x-linked-etag': `"${sha256(content)}"`,
    'x-linked-size': content.length,
    'x-xet-hash': chunkHash,
    link: `<${store}/token>; rel="xet-auth", <${store}/cas>; rel="xet-reconstruction-info"`,
    'content-length': 0,
  });
  response.end();
}

/** Whoever asks for chunks goes past the door: nothing of that is answered. */
function startStore(
  repositories: ReadonlyMap<string, HubRepository>,
  given: Map<string, number>,
  stored: { count: number },
): Promise<Origin> {
  return startOrigin((request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const name = path.slice(1);
    const content = repositories.get(name)?.files.get(largeFile);
    if (!content || !query.includes('X-Amz-Signature=')) return void response.writeHead(403).end();
    stored.count += 1;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const end = Math.min(content.length, range?.[2] ? Number(range[2]) + 1 : content.length);
    given.set(name, (given.get(name) ?? 0) + end - Number(range?.[1] ?? 0));
    serveBody(content, { etag: '"of-the-store"' })(request, response);
  });
}

function json(response: ServerResponse, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
}

function notFound(response: ServerResponse, code: string): void {
  response.writeHead(404, { 'x-error-code': code, 'content-length': 0 }).end();
}
