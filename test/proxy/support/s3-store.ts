/** A small object store over HTTP that takes one key, remembers what it was asked, and counts the bytes it gave. */
import { createHash } from 'node:crypto';
import { startOrigin, type Origin, type SeenRequest } from './proxy-fixture.ts';

export const storeKey = { accessKeyID: 'STOREKEY', secretKey: 'secret of the store' };

/** All objects were written in parts of this length. */
const partBytes = 8 * 2 ** 20;

function partRange(number: number): string {
  return `bytes=${(number - 1) * partBytes}-${number * partBytes - 1}`;
}

export interface SmallStore extends AsyncDisposable {
  readonly origin: Origin;
  /** By `bucket/key`. */
  readonly objects: Map<string, Buffer>;
  readonly given: { bytes: number };
  /** It answers nothing but 503. */
  ill: boolean;
  /** It calls all of its objects by this. */
  tag: string | undefined;
  /** What it takes out of the next bodies, as it says. */
  unwraps: Buffer | undefined;
  bodies(): SeenRequest[];
}

export async function startSmallStore(): Promise<SmallStore> {
  const objects = new Map<string, Buffer>();
  const given = { bytes: 0 };
  const store: Pick<SmallStore, 'ill' | 'tag' | 'unwraps'> = { ill: false, tag: undefined, unwraps: undefined };
  const tagOf = (body: Buffer): string => store.tag ?? `"${createHash('md5').update(body).digest('hex')}"`;
  const origin = await startOrigin((request, response) => {
    const fail = (status: number, code: string): void => {
      const body = `<Error><Code>${code}</Code></Error>`;
      response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    if (store.ill) return fail(503, 'SlowDown');
    if (!request.headers.authorization?.includes(`Credential=${storeKey.accessKeyID}/`))
      return fail(403, 'AccessDenied');
    const name = decodeURIComponent((request.url ?? '').split('?', 1)[0] ?? '').slice(1);
    if (request.method === 'PUT') {
      const blocks: Buffer[] = [];
      request.on('data', (block: Buffer) => blocks.push(block));
      request.on('end', () => {
        const body = store.unwraps ?? Buffer.concat(blocks);
        objects.set(name, body);
        const etag = tagOf(body);
        response.writeHead(200, { etag, 'content-length': 0 }).end();
      });
      return;
    }
    if (request.method === 'DELETE') {
      objects.delete(name);
      return void response.writeHead(204).end();
    }
    const body = objects.get(name);
    if (!body) return fail(404, 'NoSuchKey');
    const etag = tagOf(body);
    if (request.headers['if-match'] !== undefined && request.headers['if-match'] !== etag)
      return fail(412, 'PreconditionFailed');
    const [, part] = /[?&]partNumber=(\d+)/.exec(request.url ?? '') ?? [];
    const range = part === undefined ? request.headers.range : partRange(Number(part));
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
    const start = Number(first ?? 0);
    const end = last ? Math.min(Number(last) + 1, body.length) : body.length;
    response.writeHead(first === undefined ? 200 : 206, {
      etag,
      'content-length': end - start,
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
      'x-amz-meta-owner': 'tests',
      ...(part !== undefined && { 'x-amz-mp-parts-count': String(Math.ceil(body.length / partBytes)) }),
      'x-amz-checksum-crc32': 'AAAAAA==',
      ...(first !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${body.length}` }),
    });
    if (request.method === 'HEAD') return void response.end();
    given.bytes += end - start;
    response.end(body.subarray(start, end));
  });
  return Object.assign(store, {
    origin,
    objects,
    given,
    bodies: () => origin.seen.filter(({ method }) => method === 'GET'),
    [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose](),
  });
}
