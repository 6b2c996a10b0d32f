/**
 * How one object is read over HTTP, shared by every source that uses HTTP: byte ranges with a validator, checks of what
 * the origin claims, and one error message for each way it can refuse.
 */
import type { ByteRange } from '../../../core/byte-range.ts';
import { DragonflyError } from '../../../core/errors.ts';
import { isTemporaryStatus } from '../../../core/net/origin-status.ts';
import { redact } from '../../../core/redact.ts';
import { version } from '../../../core/version.ts';
import { withoutChecksums } from '../checksums.ts';
import type { HttpResponse } from './http-client.ts';
import { contentHeader, errorHeader, protocolError } from './http-head.ts';
import { isPartial, partOf, type AnsweredPart } from './http-part.ts';
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
    return bodyOf(response, request, send);
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

function bodyOf(response: HttpResponse, request: ObjectRequest, send: SendGet): SourceBody {
  const { header } = response;
  requireSuccess(response, request);
  const validator = header['etag'] ?? header['last-modified'];
  const partial = isPartial(response);
  // A partial answer may carry checksums of its part.
  const told = partial ? withoutChecksums(header) : header;
  const common = { validator, header: contentHeader(told) };
  if (partial) {
    const part = partOf(response, request);
    const reader = new PartReader(send, { request, response, part, validator });
    return {
      ...common,
      contentLengthBytes: part.totalBytes,
      ranges: true,
      startBytes: part.asked.start,
      lengthBytes: part.asked.length,
      readTo: (sink) => reader.readTo(sink),
      cancel: () => reader.cancel(),
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
    cancel: () => response.discard(),
  };
}

interface FirstPart {
  readonly request: ObjectRequest;
  readonly response: HttpResponse;
  readonly part: AnsweredPart;
  readonly validator: string | undefined;
}

/** Delivers exactly the part that was asked for, with further requests where an answer holds less of it. */
class PartReader {
  readonly #send: SendGet;
  readonly #first: FirstPart;
  #response: HttpResponse;
  #cancelled = false;

  constructor(send: SendGet, first: FirstPart) {
    this.#send = send;
    this.#first = first;
    this.#response = first.response;
  }

  cancel(): void {
    this.#cancelled = true;
    this.#response.discard();
  }

  async readTo(sink: ByteSink): Promise<void> {
    const { asked, totalBytes } = this.#first.part;
    const end = asked.start + asked.length;
    let { sent } = this.#first.part;
    for (let next = asked.start; ;) {
      await this.#readOne(sent, { next, end }, sink);
      next = Math.min(end, sent.start + sent.length);
      if (next === end) return;
      ({ sent } = await this.#ask({ start: next, length: end - next }, totalBytes));
    }
  }

  async #ask(range: ByteRange, totalBytes: number | undefined): Promise<AnsweredPart> {
    const { request, validator } = this.#first;
    const further = { ...request, range, suffixBytes: undefined, validator: request.validator ?? validator };
    this.#response = await this.#send({ ...baseHeader(request.header), ...rangeHeader(further) });
    try {
      if (this.#cancelled) throw new DragonflyError('CANCELLED', 'the body was dropped');
      requireSuccess(this.#response, further);
      if (!isPartial(this.#response)) throw protocolError('it sends parts of the object now and then');
      const part = partOf(this.#response, further);
      if (part.totalBytes !== totalBytes) throw sourceChanged(this.#response, further);
      return part;
    } catch (error) {
      this.#response.discard();
      throw error;
    }
  }

  /** Delivers what the answer holds of these bytes. */
  async #readOne(sent: ByteRange, { next, end }: { next: number; end: number }, sink: ByteSink): Promise<void> {
    const response = this.#response;
    let position = sent.start;
    const sentEnd = sent.start + sent.length;
    const enough = new DragonflyError('CANCELLED', 'nothing more is needed of this answer');
    try {
      await response.readTo(async (block) => {
        const from = position;
        position += block.length;
        if (position > sentEnd) throw protocolError('it sends more bytes than its Content-Range says');
        const part = block.subarray(Math.max(0, next - from), Math.max(0, end - from));
        if (part.length > 0) await sink(part);
        if (position >= end && position < sentEnd) throw enough;
      });
    } catch (error) {
      if (error !== enough) throw error;
      return response.discard();
    }
    if (position < sentEnd) throw protocolError('it sends fewer bytes than its Content-Range says');
  }
}

/** Throws SOURCE_STATUS, and SOURCE_CHANGED for another version than the request names. */
function requireSuccess(response: HttpResponse, request: ObjectRequest): void {
  const { statusCode, header } = response;
  if (statusCode !== 200 && statusCode !== 203 && statusCode !== 206) throw statusError(response, request);
  if (changed(request.validator, header)) throw sourceChanged(response, request);
}

function sourceChanged({ statusCode, header }: HttpResponse, { url }: ObjectRequest): DragonflyError {
  return new DragonflyError('SOURCE_CHANGED', `${nameOf(url)} has changed at the origin during the download`, {
    hint: 'Download it again; give --digest to be sure of what you get.',
    details: { statusCode, header: errorHeader(header) },
  });
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
    `the origin answered ${statusCode}${reason ? ` ${reason}` : ''} for ${name}${saying(header)}`,
    {
      hint,
      details,
    },
  );
}

/** Where model hubs say why they refuse. */
export const errorMessageField = 'x-error-message';

function saying(header: Readonly<Record<string, string>>): string {
  const message = header[errorMessageField] ?? header['x-ms-error-code'] ?? '';
  const words = message
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, 300)
    .trim();
  return words === '' ? '' : `: "${redact(words)}"`;
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
