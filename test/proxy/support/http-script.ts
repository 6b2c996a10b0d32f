/** One random exchange between a client and an origin: what each of them says, byte by byte, and in which manner. */
import type { FuzzRandom } from '../../support/fuzz.ts';

export type Field = readonly [name: string, value: string];

export interface Body {
  readonly kind: 'none' | 'length' | 'chunked' | 'close';
  /** Pieces of the content, as they are written. */
  readonly parts: readonly string[];
  readonly trailers: readonly Field[];
}

export interface Script {
  readonly id: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly fields: readonly Field[];
  readonly body: Body;
  /** What the origin does about an expectation; undefined when the client has none. */
  readonly expect: 'continue' | 'refuse' | 'ignore' | undefined;
  readonly answer: Answer;
}

export interface Answer {
  readonly interim: readonly { readonly status: number; readonly fields: readonly Field[] }[];
  readonly version: '1.0' | '1.1';
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
  readonly body: Body;
  /** Before the body of the request has come. */
  readonly early: boolean;
  readonly eol: '\r\n' | '\n';
  readonly folded: boolean;
  /** A length beside the coding, which overrides it. */
  readonly bothLengths: boolean;
  readonly ending: 'keep' | 'close' | 'break-head' | 'break-body' | 'stale';
}

const tokenCharacters = "!#$%&'*+-.^_`|~0123456789abcdefXYZ";
const targetParts = [
  '/', '//', '/.', '/..', 'a', 'B', '%2f', '%2F', '%', '%zz', '%00', '?', '?a=b', '&c', '&&', '=', "'", '"', '<', '>', '{', '}', '|', '\\', '^',
  '`', '[', ']', ';', ':', '@', '!', '$', '(', ')', '*', '+', ',', '~', 'x'.repeat(300),
] as const; // prettier-ignore
const requestNames = [
  'Accept', 'ACCEPT-ENCODING', 'authorization', 'Cookie', 'cookie', 'Range', 'If-None-Match', 'If-Range', 'Content-Type', 'Content-Disposition',
  'User-Agent', 'Referer', 'Origin', 'Date', 'From', 'Max-Forwards', 'Content-MD5', 'X-Amz-Date', 'X-Forwarded-For', 'Cache-Control',
] as const; // prettier-ignore
const answerNames = [
  'Location', 'Content-Type', 'Set-Cookie', 'set-cookie', 'ETag', 'Date', 'SERVER', 'Content-Disposition', 'Cache-Control', 'Content-Encoding',
  'WWW-Authenticate', 'Proxy-Authenticate', 'Retry-After', 'Content-Range', 'Accept-Ranges', 'Alt-Svc', 'Age', 'Vary', 'Link', 'Via', 'Warning',
  'Docker-Content-Digest', 'Strict-Transport-Security', 'Content-Location', 'Last-Modified',
] as const; // prettier-ignore
const methods = [
  'GET', 'GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT', 'MKCOL', 'QUERY',
] as const; // prettier-ignore
const statuses = [
  200, 200, 200, 200, 201, 204, 206, 299, 300, 301, 302, 304, 307, 400, 401, 403, 404, 407, 409, 412, 416, 418, 429, 500, 503, 599, 799,
] as const; // prettier-ignore

export function makeScript(random: FuzzRandom, id: string): Script {
  const version = random.below(10) === 0 ? '1.0' : '1.1';
  const method = random.pick(methods);
  const body = requestBody(random, method, version);
  const expects = version === '1.1' && body.kind !== 'none' && random.below(4) === 0;
  const answer = makeAnswer(random, { method, version, early: body.kind !== 'none' && random.below(4) === 0 });
  const expect = expects ? random.pick(['continue', 'refuse', 'ignore'] as const) : undefined;
  const { target, fields } = { target: targetOf(random, id), fields: fieldsOf(random, requestNames) };
  const refused = expect === 'refuse' ? { ...answer, early: true } : answer;
  return {
    id,
    method,
    target,
    version,
    fields,
    body,
    expect,
    answer:
      expect === 'continue'
        ? { ...answer, early: false, ending: answer.ending === 'stale' ? 'keep' : answer.ending }
        : refused,
  };
}

function makeAnswer(
  random: FuzzRandom,
  { method, version, early }: { method: string; version: string; early: boolean },
): Answer {
  const status = random.pick(statuses);
  const bodiless = method === 'HEAD' || status === 204 || status === 304;
  const body = bodiless ? nothing : answerBody(random);
  const oldVersion = body.kind !== 'chunked' && random.below(12) === 0;
  const [eol, folded] = [random.below(12) === 0 ? '\n' : '\r\n', random.below(10) === 0] as const;
  const breaks = body.parts.length > 0 && body.kind !== 'close' && version === '1.1';
  const ending =
    random.below(8) === 0
      ? random.pick(['close', 'break-head', breaks ? 'break-body' : 'close', 'stale'] as const)
      : 'keep';
  return {
    interim: version === '1.0' || random.below(4) > 0 ? [] : interimAnswers(random),
    version: oldVersion ? '1.0' : '1.1',
    status,
    reason: random.pick(['OK', '', 'Gut \xe9', 'Two words', 'x'.repeat(200)]),
    fields: fieldsOf(random, answerNames),
    body,
    early,
    eol,
    folded,
    bothLengths: body.kind === 'chunked' && random.below(10) === 0,
    ending: body.kind === 'close' && ending === 'keep' ? 'close' : ending,
  };
}

function interimAnswers(random: FuzzRandom): Answer['interim'] {
  return Array.from({ length: 1 + random.below(2) }, () => ({
    status: random.pick([102, 103, 103, 199]),
    fields: fieldsOf(random, ['Link', 'X-Note']).slice(0, 3),
  }));
}

function targetOf(random: FuzzRandom, id: string): string {
  let text = `/${id}`;
  for (let count = random.below(8); count > 0; count -= 1) text += random.pick(targetParts);
  return text;
}

function fieldsOf(random: FuzzRandom, names: readonly [string, ...string[]]): Field[] {
  const count = random.below(40) === 0 ? 300 : random.below(9);
  const fields = Array.from({ length: count }, (): Field => {
    const name =
      random.below(2) === 0 ? random.pick(names) : `X-${textOf(random, tokenCharacters, 1 + random.below(12))}`;
    return [name, valueOf(random)];
  });
  if (random.below(60) === 0) fields.push(['X-Long', 'y'.repeat(40_000 + random.below(24_000))]);
  return fields;
}

/** Bytes that a field may have: visible ones, and everything past 0x7f; blanks inside. */
function valueOf(random: FuzzRandom): string {
  const length = random.below(6) === 0 ? 0 : random.below(60);
  let text = '';
  for (let index = 0; index < length; index += 1) {
    const kind = random.below(12);
    text += String.fromCharCode(
      kind === 0 ? 0x80 + random.below(128) : kind === 1 ? random.pick([32, 9]) : 0x21 + random.below(94),
    );
  }
  return text.trim();
}

function textOf(random: FuzzRandom, characters: string, length: number): string {
  return Array.from({ length }, () => characters[random.below(characters.length)]).join('');
}

const nothing: Body = { kind: 'none', parts: [], trailers: [] };

function requestBody(random: FuzzRandom, method: string, version: string): Body {
  if ((method === 'GET' || method === 'HEAD') && random.below(8) > 0) return nothing;
  const kind = random.pick(['none', 'length', 'length', 'chunked', 'chunked'] as const);
  if (kind === 'none') return nothing;
  const chunked = kind === 'chunked' && version === '1.1';
  return { kind: chunked ? 'chunked' : 'length', parts: partsOf(random), trailers: chunked ? trailersOf(random) : [] };
}

function answerBody(random: FuzzRandom): Body {
  const kind = random.pick(['length', 'length', 'chunked', 'chunked', 'close'] as const);
  return { kind, parts: partsOf(random), trailers: kind === 'chunked' ? trailersOf(random) : [] };
}

function partsOf(random: FuzzRandom): string[] {
  return Array.from({ length: random.below(4) }, () => {
    const length = random.pick([1, 2, 16, 500, 5000, 70_000]);
    // Content that looks like HTTP finds a border that is seen in the wrong place.
    if (random.below(4) === 0) return 'GET /inside HTTP/1.1\r\nHost: x\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n';
    return String.fromCharCode(random.below(256)).repeat(1 + random.below(length));
  });
}

function trailersOf(random: FuzzRandom): Field[] {
  return random.below(2) === 0 ? [] : fieldsOf(random, ['X-Sum', 'Content-MD5', 'ETag']).slice(0, 4);
}
