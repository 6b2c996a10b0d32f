/** A model hub with repositories of the files it is given: models and datasets, by their lists, by their paths, and each by itself. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serveBody, startOrigin, type Origin } from './proxy-fixture.ts';

export interface FilesHub extends AsyncDisposable {
  readonly url: string;
  /** How often each file was given. */
  readonly given: ReadonlyMap<string, number>;
}

type Files = ReadonlyMap<string, Buffer>;

/** @param repositories their files, by `models/owner/name` or `datasets/owner/name` */
export async function startFilesHub(repositories: ReadonlyMap<string, Files>): Promise<FilesHub> {
  const given = new Map<string, number>();
  const hub: Origin = await startOrigin((request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?', 1)[0] ?? '');
    const [, kind = 'models', name = '', , rest = ''] =
      /^\/(?:(datasets)\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? [];
    const content = repositories.get(`${kind}/${name}`)?.get(rest);
    if (content) {
      if (request.method === 'GET') given.set(rest, (given.get(rest) ?? 0) + 1);
      const header = { etag: `"${blobId(content)}"`, 'x-repo-commit': commitOf(`${kind}/${name}`) };
      return serveBody(content, header)(request, response);
    }
    const [, repository = '', question = '', of = ''] =
      /^\/api\/((?:models|datasets)\/[^/]+\/[^/]+)(?:\/(revision|tree|paths-info)\/[^/]+\/?(.*))?$/.exec(path) ?? [];
    const files = repositories.get(repository);
    if (!files) return notFound(response, name === '' ? 'RepoNotFound' : 'EntryNotFound');
    if (question === 'tree') return json(response, below(files, of, request.url?.includes('recursive=true') === true));
    if (question === 'paths-info') return void answerPaths(request, response, files);
    json(response, {
      id: repository.split('/').slice(1).join('/'),
      sha: commitOf(repository),
      private: false,
      gated: false,
      tags: [],
      downloads: 0,
      likes: 0,
      siblings: [...files.keys()].map((rfilename) => ({ rfilename })),
    });
  });
  return { url: hub.url, given, [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose]() };
}

async function answerPaths(request: IncomingMessage, response: ServerResponse, files: Files): Promise<void> {
  let body = '';
  for await (const block of request) body += String(block);
  const isJson = request.headers['content-type']?.includes('json') === true;
  const paths = isJson ? (JSON.parse(body) as { paths: string[] }).paths : new URLSearchParams(body).getAll('paths');
  const entries = [...files]
    .filter(([path]) => paths.includes(path))
    .map(([path, content]) => fileEntry(path, content));
  const folders = paths.filter(
    (path) => !files.has(path) && [...files.keys()].some((each) => each.startsWith(`${path}/`)),
  );
  json(response, [...entries, ...folders.map(folderEntry)]);
}

function below(files: Files, directory: string, recursive: boolean): unknown[] {
  const prefix = directory === '' ? '' : `${directory}/`;
  const inside = [...files].filter(([path]) => path.startsWith(prefix));
  const folders = new Set(
    inside.flatMap(([path]) => {
      const parts = path.slice(prefix.length).split('/').slice(0, -1);
      return parts.map((_, index) => prefix + parts.slice(0, index + 1).join('/'));
    }),
  );
  const isDirect = (path: string): boolean => recursive || !path.slice(prefix.length).includes('/');
  return [
    ...[...folders].filter(isDirect).map(folderEntry),
    ...inside.filter(([path]) => isDirect(path)).map(([path, content]) => fileEntry(path, content)),
  ];
}

function fileEntry(path: string, content: Buffer): unknown {
  return { type: 'file', path, size: content.length, oid: blobId(content) };
}

function folderEntry(path: string): unknown {
  return { type: 'directory', path, size: 0, oid: blobId(Buffer.from(path)) };
}

function commitOf(repository: string): string {
  return createHash('sha1').update(repository).digest('hex');
}

function blobId(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

function json(response: ServerResponse, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
}

function notFound(response: ServerResponse, code: string): void {
  response.writeHead(404, { 'x-error-code': code, 'content-length': 0 }).end();
}
