/**
 * How one object is read over HTTP, shared by every source that uses HTTP: byte ranges with a validator, checks of what
 * the origin claims, and one error message for each way it can refuse.
 */
import { formatContentRange, parseContentRange, type ByteRange } from '../../../core/byte-range.ts';
import { DragonflyError } from '../../../core/errors.ts';
import { isTemporaryStatus } from '../../../core/net/origin-status.ts';
import { version } from '../../../core/version.ts';
import { withoutChecksums } from '../checksums.ts';
import type { HttpResponse } from './http-client.ts';
import { contentHeader, errorHeader, protocolError } from './http-head.ts';
import type { ByteSink, SourceBody, SourceObject } from '../source.ts';

/** A range that ends beyond this means "to the end": no origin has an object of 4 PiB. */
const openEndBytes = 2 ** 52;

/** Sends a GET with this header and resolves with the final answer; it takes care of authentication and redirects. */
export type SendGet = (header: Readonly<Record<string, string>>) => Promise<HttpResponse>;

export interface ObjectRequest {
  readonly url: URL;
  /** The caller's header, already cleaned by `requestHeader`. */
  readonly header: Readonly<Record<string, string>>;
  readonly range?: ByteRange | undefined;
  readonly suffixBytes?: number | undefined;
  readonly validator?: string | undefined;
}

/**
 * Opens the object for reading. An origin without byte ranges answers a ranged request with the whole object: `ranges`
 * is then false and `startBytes` 0.
 */
export async function openObject(send: SendGet, request: ObjectRequest): Promise<SourceBody> {
  const response = await send({ ...baseHeader(request.header), ...rangeHeader(request) });
  try {
    return bodyOf(response, request);
  } catch (error) {
    response.discard();
    throw error;
  }
}

/**
 * Asks for the first byte only, because HEAD is refused by signed URLs and by many small servers, and does not prove
 * that ranges work.
 */
export async function statObject(send: SendGet, request: ObjectRequest): Promise<SourceObject> {
  try {
    const body = await openObject(send, { ...request, range: { start: 0, length: 1 } });
    body.cancel();
    return body;
  } catch (error) {
    const empty = error instanceof DragonflyError && error.code === 'RANGE_NOT_SATISFIABLE';
    if (!empty) throw error;
    const body = await openObject(send, { ...request, range: undefined, suffixBytes: undefined });
    body.cancel();
    return body;
  }
}

export function baseHeader(header: Readonly<Record<string, string>>): Record<string, string> {
  // Any other content coding would give different bytes to different nodes.
  return { 'user-agent': `dragonfly/${version}`, accept: '*/*', ...header, 'accept-encoding': 'identity' };
}

function rangeHeader({ range, suffixBytes, validator }: ObjectRequest): Record<string, string> {
  if (!range) return suffixBytes === undefined ? {} : { range: `bytes=-${suffixBytes}` };
  const last = range.start + range.length - 1;
  // A range without a real end is sent without one, because not every server can read such a number.
  const header = { range: `bytes=${range.start}-${last < openEndBytes ? last : ''}` };
  // RFC 9110 §13.1.5: neither a weak nor a malformed validator can be used here; it is compared with the answer's validator
  // instead.
  const usable = validator !== undefined && (/^"[^"]*"$/.test(validator) || isHttpDate(validator));
  return usable ? { ...header, 'if-range': validator } : header;
}

function bodyOf(response: HttpResponse, request: ObjectRequest): SourceBody {
  const { statusCode, header } = response;
  if (statusCode !== 200 && statusCode !== 203 && statusCode !== 206) throw statusError(response, request);
  const validator = header['etag'] ?? header['last-modified'];
  if (changed(request.validator, header)) {
    throw new DragonflyError('SOURCE_CHANGED', `${nameOf(request.url)} has changed at the origin during the download`, {
      hint: 'Download it again; give --digest to be sure of what you get.',
      details: { statusCode, header: errorHeader(header) },
    });
  }
  // A partial answer may carry checksums of its part.
  const told = statusCode === 206 ? withoutChecksums(header) : header;
  const common = { validator, header: contentHeader(told), cancel: () => response.discard() };
  if (statusCode === 206) {
    const { range, totalBytes } = partOf(response, request);
    return {
      ...common,
      contentLengthBytes: totalBytes,
      ranges: true,
      startBytes: range.start,
      lengthBytes: range.length,
      readTo: (sink) => readExactly(response, range.length, sink),
    };
  }
  const lengthBytes = typeof response.framing === 'number' ? response.framing : undefined;
  return {
    ...common,
    contentLengthBytes: lengthBytes,
    ranges:
      request.range === undefined &&
      request.suffixBytes === undefined &&
      /\bbytes\b/i.test(header['accept-ranges'] ?? ''),
    startBytes: 0,
    lengthBytes,
    readTo: (sink) => response.readTo(sink),
  };
}

/** The origin must send exactly the requested part, shortened only by the end of the object. */
function partOf(response: HttpResponse, request: ObjectRequest): NonNullable<ReturnType<typeof parseContentRange>> {
  const { suffixBytes } = request;
  if (!request.range && suffixBytes === undefined)
    throw protocolError('it sends a part of the object though the whole was asked for');
  const text = response.header['content-range'];
  const part = text === undefined ? undefined : parseContentRange(text);
  if (!part) throw protocolError(`its Content-Range is ${text === undefined ? 'missing' : 'malformed'}`);
  const asked = request.range ?? suffixOf(suffixBytes ?? 0, part.totalBytes);
  const lengthBytes = Math.min(asked.length, (part.totalBytes ?? Number.POSITIVE_INFINITY) - asked.start);
  const wrongEnd =
    part.range.length !== lengthBytes && !(part.totalBytes === undefined && part.range.length < asked.length);
  if (part.range.start !== asked.start || wrongEnd) {
    const wanted = formatContentRange(asked, part.totalBytes ?? 0).replace(/\/.*/, '');
    throw protocolError(`it sends "${text}" though "${wanted}" was asked for`);
  }
  if (typeof response.framing === 'number' && response.framing !== part.range.length) {
    throw protocolError('its Content-Length does not fit its Content-Range');
  }
  return part;
}

/** Throws PROTOCOL for content of unknown length, because the position of its last bytes is unknown. */
function suffixOf(bytes: number, totalBytes: number | undefined): ByteRange {
  if (totalBytes === undefined) throw protocolError('it sends the end of the object without the length of the whole');
  const length = Math.min(bytes, totalBytes);
  return { start: totalBytes - length, length };
}

/** A chunked part has no length that it could be checked against. */
async function readExactly(response: HttpResponse, lengthBytes: number, sink: ByteSink): Promise<void> {
  if (typeof response.framing === 'number') return response.readTo(sink);
  let received = 0;
  await response.readTo((block) => {
    received += block.length;
    if (received > lengthBytes) throw protocolError('it sends more bytes than its Content-Range says');
    return sink(block);
  });
  if (received < lengthBytes) throw protocolError('it sends fewer bytes than its Content-Range says');
}

/** A validator is compared with the header it came from, because some servers send entity tags without quotes. */
function changed(expected: string | undefined, header: Readonly<Record<string, string>>): boolean {
  if (expected === undefined) return false;
  const now = isHttpDate(expected) ? header['last-modified'] : header['etag'];
  return now !== undefined && now.replace(/^W\//, '') !== expected.replace(/^W\//, '');
}

function isHttpDate(text: string): boolean {
  return /^[A-Z][a-z]{2}.*\d{2}:\d{2}:\d{2}/.test(text) && !Number.isNaN(Date.parse(text));
}

/** The error that the user reads when an answer is not a success. */
export function statusError(
  response: Pick<HttpResponse, 'statusCode' | 'header'>,
  request: Pick<ObjectRequest, 'url'>,
): DragonflyError {
  const { statusCode, header } = response;
  const details = { statusCode, header: errorHeader(header) };
  const name = nameOf(request.url);
  if (statusCode === 416) {
    const size = /^bytes \*\/(\d+)$/.exec(header['content-range'] ?? '')?.[1];
    const what = size === undefined ? 'the object' : `the ${size} bytes of the object`;
    return new DragonflyError('RANGE_NOT_SATISFIABLE', `the range lies outside ${what} at ${name}`, { details });
  }
  const reason = statusTexts[statusCode];
  const retryAfter = header['retry-after'];
  const hint =
    retryAfter === undefined ? hintFor(statusCode) : `The origin asks to try again later (Retry-After: ${retryAfter}).`;
  return new DragonflyError(
    'SOURCE_STATUS',
    `the origin answered ${statusCode}${reason ? ` ${reason}` : ''} for ${name}`,
    {
      hint,
      details,
    },
  );
}

const statusTexts: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  410: 'Gone',
  429: 'Too Many Requests',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

function hintFor(statusCode: number): string {
  if (statusCode === 401 || statusCode === 407)
    return 'Give credentials, for example with --header "Authorization: Bearer …".';
  if (statusCode === 403) return 'Check that the credentials may read it and that a signed URL has not expired.';
  if (statusCode === 404 || statusCode === 410) return 'Check the URL.';
  if (isTemporaryStatus(statusCode)) return 'The origin is ill or overloaded; try again later.';
  return 'Check the URL and what the origin expects of a request.';
}

/** Leaves out the query, because it may contain a signature. */
export function nameOf(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
