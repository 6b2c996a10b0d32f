/** Objects as origins have them, well-behaved and odd, and what people ask of them, by chance. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { FuzzRandom } from '../../support/fuzz.ts';

export interface ScriptedObject {
  readonly id: string;
  /** What its URL looks like: of a file, of a tag in a registry, or of a blob. */
  readonly kind: 'file' | 'manifest' | 'blob';
  sizeBytes: number;
  version: number;
  readonly validator: 'strong' | 'weak' | 'none' | 'date' | 'unquoted';
  readonly ranges: boolean;
  readonly conditions: boolean;
  /** Has a content of its own for each person, whom it knows by this field. */
  readonly personal: 'no' | 'authorization' | 'cookie';
  /** What others than the owner are told. */
  readonly refusal: 0 | 302 | 401 | 403 | 404;
  readonly cacheControl: string;
  readonly vary: '' | 'Accept' | 'Accept-Encoding' | '*';
  readonly coded: boolean;
  readonly chunked: boolean;
  readonly cookies: boolean;
  readonly redirects: boolean;
}

export type Person = '' | 'owner' | 'other';

export interface Question {
  readonly method: 'GET' | 'HEAD';
  readonly header: Readonly<Record<string, string>>;
}

export function makeObject(random: FuzzRandom, id: string): ScriptedObject {
  const kind = random.pick(['file', 'file', 'manifest', 'blob'] as const);
  // A digest names one content, whoever asks and however.
  const changes = kind !== 'blob';
  return {
    id,
    kind,
    sizeBytes: random.pick([0, 1, 10, 500, 70_000, 300_000, 5_000_000]),
    version: 1,
    validator: random.pick(['strong', 'strong', 'strong', 'weak', 'none', 'date', 'unquoted']),
    ranges: random.below(4) > 0,
    conditions: random.below(4) > 0,
    personal: changes ? random.pick(['no', 'no', 'authorization', 'cookie']) : 'no',
    refusal: random.below(3) === 0 ? random.pick([302, 401, 403, 404]) : 0,
    cacheControl: random.pick([
      '', '', 'max-age=60', 'no-cache', 'private', 'no-store', 'public, max-age=60', 'max-age=0, must-revalidate',
    ]), // prettier-ignore
    vary: changes ? random.pick(['', '', 'Accept', 'Accept-Encoding', '*']) : '',
    coded: changes && random.below(5) === 0,
    chunked: random.below(5) === 0,
    cookies: random.below(6) === 0,
    redirects: random.below(8) === 0,
  };
}

/** Path and query at its origin. */
export function pathOf(object: ScriptedObject): string {
  const { id, kind } = object;
  if (kind === 'file') return `/${id}`;
  if (kind === 'manifest') return `/v2/fuzz/manifests/${id}`;
  return `/v2/${id}/blobs/sha256:${createHash('sha256')
    .update(contentOf(object, '', ''))
    .digest('hex')}`;
}

/** @param tags entity tags that answers had before */
export function makeQuestion(
  random: FuzzRandom,
  { personal, sizeBytes }: ScriptedObject,
  tags: readonly [string, ...string[]],
): Question {
  const header: Record<string, string> = {};
  const who = random.pick<Person>(['', 'owner', 'other']);
  if (who !== '') header[personal === 'cookie' ? 'cookie' : 'authorization'] = `person ${who}`;
  if (random.below(3) === 0) {
    header['range'] = random.pick([
      'bytes=0-', 'bytes=0-0', 'bytes=3-9', 'bytes=-5', `bytes=${sizeBytes}-`, 'bytes=100-70000', 'bytes=9-3', 'items=1-2',
      'bytes=4194300-4194310',
    ]); // prettier-ignore
  }
  const condition = random.below(8);
  if (condition === 0) header['if-none-match'] = random.pick(tags);
  if (condition === 1) header['if-match'] = random.pick(tags);
  if (condition === 2 && header['range'] !== undefined) header['if-range'] = random.pick(tags);
  if (condition === 3) header['if-modified-since'] = changedAt(random.below(4));
  if (random.below(6) === 0) header['cache-control'] = random.pick(['no-cache', 'max-age=0', 'no-store']);
  if (random.below(4) === 0) header['accept'] = random.pick(['a/b', 'c/d']);
  if (random.below(4) === 0) header['accept-encoding'] = 'gzip';
  return { method: random.below(8) === 0 ? 'HEAD' : 'GET', header };
}

/** The object as it is now, for whoever asks. */
export function answerWith(
  object: ScriptedObject,
  { method, url = '', headers }: IncomingMessage,
  response: ServerResponse,
): void {
  const send = (status: number, header: Record<string, string | number>, body: Buffer = Buffer.alloc(0)): void => {
    const length = object.chunked && status < 300 ? {} : { 'content-length': body.length };
    response.writeHead(status, { ...(status === 304 ? {} : length), ...header });
    response.end(method === 'HEAD' || status === 304 ? undefined : body);
  };
  if (object.redirects && !url.startsWith('/moved/')) return send(307, { location: `/moved${url}` });
  const who = personOf(object, headers);
  if (object.refusal !== 0 && who !== 'owner')
    return send(object.refusal, refusalHeader(object), Buffer.from(`refused to ${who}`));
  const plain = contentOf(object, who, headers.accept ?? '');
  const coded = object.coded && headers['accept-encoding'] === 'gzip';
  const body = coded ? gzipSync(plain) : plain;
  const header = headerOf(object, { plain, coded, who });
  const tag = header['etag'];
  if (object.conditions) {
    const judged = judge(headers, tag, header['last-modified']);
    if (judged !== undefined) return send(judged, judged === 304 ? header : {});
  }
  const part = object.ranges ? partOf(headers, body.length, header) : undefined;
  if (part === 'outside') return send(416, { 'content-range': `bytes */${body.length}` });
  if (!part) return send(200, header, body);
  const place = `bytes ${part.start}-${part.end - 1}/${body.length}`;
  send(206, { ...header, 'content-range': place }, body.subarray(part.start, part.end));
}

function personOf({ personal }: ScriptedObject, headers: IncomingHttpHeaders): string {
  return String(headers[personal === 'cookie' ? 'cookie' : 'authorization'] ?? '').replace('person ', '');
}

function refusalHeader({ refusal }: ScriptedObject): Record<string, string> {
  if (refusal === 302) return { location: '/login' };
  return refusal === 401 ? { 'www-authenticate': 'Bearer realm="there"' } : {};
}

export function contentOf(
  { id, version, sizeBytes, personal, vary }: ScriptedObject,
  who: string,
  accept: string,
): Buffer {
  const key = [id, version, personal === 'no' ? '' : who, vary === 'Accept' ? accept.replace('*/*', '') : ''].join(' ');
  return Buffer.alloc(sizeBytes, `${key} ${createHash('sha256').update(key).digest('hex')} `);
}

function headerOf(
  { validator, version, cacheControl, vary, cookies, personal }: ScriptedObject,
  { plain, coded, who }: { plain: Buffer; coded: boolean; who: string },
): Record<string, string> {
  const opaque = createHash('sha256').update(plain).update(String(coded)).digest('hex').slice(0, 10);
  const tags = { strong: `"${opaque}"`, weak: `W/"${opaque}"`, unquoted: opaque, none: undefined, date: undefined };
  const etag = tags[validator];
  const dated = validator === 'date' && personal === 'no' && vary !== 'Accept' && !coded;
  return {
    'content-type': 'text/plain',
    ...(etag !== undefined && { etag }),
    ...(dated && { 'last-modified': changedAt(version) }),
    ...(cacheControl !== '' && { 'cache-control': cacheControl }),
    ...(vary !== '' && { vary }),
    ...(cookies && { 'set-cookie': `session=${who}` }),
    ...(coded && { 'content-encoding': 'gzip' }),
  };
}

function changedAt(version: number): string {
  return new Date(Date.UTC(2026, 9, 1, 0, 0, version)).toUTCString();
}

function judge(
  headers: IncomingHttpHeaders,
  tag: string | undefined,
  changed: string | undefined,
): 304 | 412 | undefined {
  const { 'if-match': match, 'if-none-match': noneMatch, 'if-modified-since': since } = headers;
  if (match !== undefined && (match !== tag || match.startsWith('W/'))) return 412;
  const opaque = (text: string): string => text.replace(/^W\//, '');
  if (noneMatch !== undefined) return tag !== undefined && opaque(noneMatch) === opaque(tag) ? 304 : undefined;
  return since !== undefined && changed !== undefined && Date.parse(changed) <= Date.parse(since) ? 304 : undefined;
}

function partOf(
  headers: IncomingHttpHeaders,
  length: number,
  header: Record<string, string>,
): { start: number; end: number } | 'outside' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? [];
  const condition = headers['if-range'];
  const holds =
    condition === undefined ||
    (condition === header['etag'] && condition.startsWith('"')) ||
    condition === header['last-modified'];
  if ((first === '' && last === '') || !holds || (first !== '' && last !== '' && Number(first) > Number(last)))
    return undefined;
  const start = first === '' ? Math.max(0, length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? length : Math.min(Number(last) + 1, length);
  return start >= length || start >= end ? 'outside' : { start, end };
}
