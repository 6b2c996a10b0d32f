/** Headers on their way through: what belongs to one connection, or to this proxy alone, is not passed on. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isControlHeader } from './request-options.ts';

/** RFC 9110 §7.6.1, with the names that proxies and clients use beside it. */
const perConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

export type HeaderRecord = Record<string, string>;

/** Lower-case names; values of repeated names joined as the protocol allows. Host is set by whoever sends. */
export function forwardedRequestHeader(header: IncomingHttpHeaders): HeaderRecord {
  const named = connectionNames(header.connection);
  const result: HeaderRecord = {};
  for (const [name, value] of Object.entries(header)) {
    if (value === undefined || name.startsWith(':') || name === 'host' || name === 'expect') continue;
    if (perConnection.has(name) || named.has(name) || isControlHeader(name)) continue;
    result[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return result;
}

/** Names a download by peers must not carry: it asks for the whole content, unencoded, on behalf of many. */
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

/** The header of an upstream's answer as the client gets it; a name may have several values. */
export function forwardedResponseHeader(message: IncomingMessage): Record<string, string | string[]> {
  const named = connectionNames(message.headers.connection);
  const result: Record<string, string | string[]> = {};
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    if (!values || perConnection.has(name) || named.has(name)) continue;
    result[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return result;
}

/** Headers stored with a task that would be wrong for a later reader, or are computed for each. */
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
  return Object.fromEntries(
    Object.entries(header).filter(([name]) => !perAnswer.has(name) && !perConnection.has(name)),
  );
}

function connectionNames(value: string | undefined): ReadonlySet<string> {
  return new Set((value ?? '').split(',').map((name) => name.trim().toLowerCase()));
}
