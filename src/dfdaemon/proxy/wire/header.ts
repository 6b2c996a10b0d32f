/**
 * Header fields on their way through the proxy: fields of one connection, or for this proxy alone, are removed; all
 * others pass byte for byte, in the same order, letter case and number.
 */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http';
import { forwardsAfter } from './max-forwards.ts';
import { isControlHeader } from '../request-options.ts';

/** Name, value, name, value … as they stood on the wire: each character is a byte (Latin-1). */
export type HeaderLines = readonly string[];

export type HeaderRecord = Record<string, string>;

/** RFC 9110 §7.6.1, and names that proxies and clients use beside it. */
const perConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);
/** Credentials for this proxy. */
const forProxy = new Set(['proxy-authorization']);
/** Names that a Connection header cannot remove: what a message is and where it goes depends on them. */
const essential = new Set(['host', 'content-length']);

export interface RequestLines {
  /** Value of Host. */
  readonly authority: string;
  readonly via: string;
  /** The client asks for an upgrade that is possible. */
  readonly upgrade: boolean;
  readonly framing: 'none' | 'length' | 'chunked';
}

/** The client's header in the form sent to the origin. */
export function forwardedRequestLines(
  request: IncomingMessage,
  { authority, via, upgrade, framing }: RequestLines,
): string[] {
  const { headers, rawHeaders } = request;
  const named = connectionNames(headers.connection);
  const trailersWelcome = /(^|,)\s*trailers\s*(,|;|$)/i.test(String(headers.te ?? ''));
  const lines: string[] = [];
  let hosts = 0;
  let cookie: number | undefined;
  for (const [name, value] of pairs(rawHeaders)) {
    const lower = name.toLowerCase();
    if (name.startsWith(':') || forProxy.has(lower) || isControlHeader(lower) || lower === 'via') continue;
    if (lower === 'host') {
      hosts += 1;
      if (hosts === 1) lines.push(name, authority);
    } else if (lower === 'transfer-encoding') {
      if (framing === 'chunked' && !lines.includes('Transfer-Encoding')) lines.push('Transfer-Encoding', 'chunked');
    } else if (lower === 'trailer' && framing !== 'chunked') continue;
    else if (upgrade && (lower === 'upgrade' || lower === 'http2-settings')) lines.push(name, value);
    else if (lower === 'max-forwards') lines.push(name, forwardsAfter(request, value));
    else if (perConnection.has(lower) || (named.has(lower) && !essential.has(lower))) continue;
    else if (lower === 'cookie' && request.httpVersionMajor === 2 && cookie !== undefined) {
      lines[cookie] += `; ${value}`; // HTTP/2 splits this field into parts, HTTP/1 has one line
    } else {
      if (lower === 'cookie') cookie = lines.length + 1;
      lines.push(name, value);
    }
  }
  if (hosts === 0) lines.unshift('Host', authority);
  if (framing === 'chunked' && !lines.includes('Transfer-Encoding')) lines.push('Transfer-Encoding', 'chunked');
  lines.push('Via', via);
  const connection = [];
  if (trailersWelcome) {
    lines.push('TE', 'trailers');
    connection.push('TE');
  }
  if (upgrade) {
    connection.push('Upgrade');
    if (headers['http2-settings'] !== undefined) connection.push('HTTP2-Settings');
  }
  if (connection.length > 0) lines.push('Connection', connection.join(', '));
  return lines;
}

/** An answer's header in the form sent to the client. */
export function forwardedAnswerLines(message: IncomingMessage): string[] {
  const named = connectionNames(message.headers.connection);
  const bothLengths = 'transfer-encoding' in message.headers;
  const lines: string[] = [];
  for (const [name, value] of pairs(message.rawHeaders)) {
    const lower = name.toLowerCase();
    if (perConnection.has(lower) || (named.has(lower) && !essential.has(lower))) continue;
    if (lower === 'content-length' && bothLengths) continue; // the transfer coding decides (RFC 9112 §6.3)
    lines.push(name, value);
  }
  return lines;
}

/** Fields of an interim answer that mean something beyond one connection. */
export function forwardedFields(lines: HeaderLines): string[] {
  return [...pairs(lines)].filter(([name]) => !perConnection.has(name.toLowerCase())).flat();
}

/** Fields after a chunked body, without those that only concern framing or routing (RFC 9110 §6.5.1). */
export function forwardedTrailers(lines: HeaderLines): [name: string, value: string][] {
  return [...pairs(lines)].flatMap(([name, value]): [string, string][] => {
    const lower = name.toLowerCase();
    return isPerConnection(lower) || essential.has(lower) || isControlHeader(lower) ? [] : [[name, value]];
  });
}

/** Names are lower-case; values of repeated names are joined as the protocol allows. The sender sets Host. */
export function forwardedRequestHeader(header: IncomingHttpHeaders): HeaderRecord {
  const named = connectionNames(header.connection);
  const result: HeaderRecord = {};
  for (const [name, value] of Object.entries(header)) {
    if (value === undefined || name.startsWith(':') || name === 'host' || name === 'expect') continue;
    if (isPerConnection(name) || named.has(name) || isControlHeader(name)) continue;
    result[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return result;
}

/** Names that a download by peers must not carry: it asks for the whole content, unencoded, on behalf of many. */
const perReader = new Set([
  'accept-encoding',
  'content-length',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'via',
  'x-forwarded-for',
  'forwarded',
]);

export function downloadHeader(forwarded: Readonly<HeaderRecord>): HeaderRecord {
  return Object.fromEntries(Object.entries(forwarded).filter(([name]) => !perReader.has(name)));
}

/** The header of an answer by lower-case names; a name may have several values. */
export function forwardedResponseHeader(message: IncomingMessage): Record<string, string | string[]> {
  const named = connectionNames(message.headers.connection);
  const result: Record<string, string | string[]> = {};
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    if (!values || isPerConnection(name) || named.has(name)) continue;
    result[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return result;
}

/** Fields that are not stored with a task because they would be wrong for a later reader, or are computed for each. */
const perAnswer = new Set([
  'age',
  'content-length',
  'content-range',
  'accept-ranges',
  'date',
  'set-cookie',
  'alt-svc',
  'strict-transport-security',
  'www-authenticate',
]);

export function storedResponseHeader(header: Readonly<Record<string, string>>): HeaderRecord {
  return Object.fromEntries(Object.entries(header).filter(([name]) => !perAnswer.has(name) && !isPerConnection(name)));
}

export function* pairs(lines: HeaderLines): Generator<readonly [name: string, value: string]> {
  for (let index = 0; index + 1 < lines.length; index += 2) yield [lines[index] ?? '', lines[index + 1] ?? ''];
}

/** Trailers and proxy credentials have no place in stored headers or in requests on behalf of many. */
function isPerConnection(name: string): boolean {
  return perConnection.has(name) || forProxy.has(name) || name === 'trailer' || name === 'proxy-authenticate';
}

function connectionNames(value: string | undefined): ReadonlySet<string> {
  return new Set((value ?? '').split(',').map((name) => name.trim().toLowerCase()));
}

/** Accepts every form that node's servers take. */
export function linesOf(fields: OutgoingHttpHeaders | readonly OutgoingHttpHeader[]): string[] {
  if (Array.isArray(fields)) return fields.map(String);
  return Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().flatMap((each) => [name, String(each)]),
  );
}
