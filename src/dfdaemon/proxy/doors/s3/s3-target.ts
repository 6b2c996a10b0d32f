/**
 * What an S3 request is about. Parsed once, and strictly: the signature must cover exactly what is acted on, so a path
 * or query that could be read in two ways is refused.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { encodePath, encodeStrictly } from '../../../source/sigv4.ts';
import { S3Refusal } from './s3-refusal.ts';

export interface S3Target {
  /** Empty when the request is about the service itself. */
  readonly bucket: string;
  /** Empty when the request is about the bucket itself. */
  readonly key: string;
  /** The query without the parameters of the signature. */
  readonly query: ReadonlyMap<string, string>;
  /** The parameters of a signature in the URL; empty for others. Lower-case names without `x-amz-`. */
  readonly signing: ReadonlyMap<string, string>;
  /** The signed URL, without the signature itself. */
  readonly url: URL;
}

const signingNames = new Set([
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
  'X-Amz-Security-Token',
  'X-Amz-Content-Sha256',
]);

/** Throws S3Refusal. @param buckets known names, to tell a bucket in the host from the name of this machine. */
export function s3Target({ url: raw = '', headers }: IncomingMessage, buckets: Iterable<string>): S3Target {
  const host = headers.host ?? '';
  const [, rawPath = '', rawQuery = ''] = /^(\/[^?#]*)(?:\?([^#]*))?$/.exec(raw) ?? [];
  const path = decoded(rawPath);
  const parameters = parametersOf(rawQuery);
  const base = urlOf(host, path);
  const query = new Map<string, string>();
  const signing = new Map<string, string>();
  const signed: string[] = [];
  for (const [name, value] of parameters) {
    if (signingNames.has(name)) signing.set(name.slice('X-Amz-'.length).toLowerCase(), value);
    else query.set(name, value);
    if (name !== 'X-Amz-Signature') signed.push(`${encodeStrictly(name)}=${encodeStrictly(value)}`);
  }
  base.search = signed.join('&');
  return { ...placeOf(base.hostname, path, buckets), query, signing, url: base };
}

function placeOf(hostname: string, path: string, buckets: Iterable<string>): { bucket: string; key: string } {
  // An IP address names a machine, whatever buckets may be called.
  const names = isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? [...buckets] : [];
  const inHost = names
    .filter((name) => hostname.startsWith(`${name.toLowerCase()}.`))
    .toSorted((a, b) => b.length - a.length)[0];
  if (inHost !== undefined) return { bucket: inHost, key: path.slice(1) };
  const slash = path.indexOf('/', 1);
  if (slash === -1) return { bucket: path.slice(1), key: '' };
  return { bucket: path.slice(1, slash), key: path.slice(slash + 1) };
}

/** Keeps host and path as they were written: URL would normalise dot segments, letter case and the default port. */
function urlOf(host: string, path: string): URL {
  const encoded = encodePath(path);
  const text = `${host.endsWith(':80') ? 'https' : 'http'}://${host}${encoded}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.host !== host || url.pathname !== encoded)
    throw new S3Refusal('InvalidURI', 'Could not parse the specified URI.');
  return url;
}

function decoded(path: string): string {
  if (path === '') throw new S3Refusal('InvalidURI', 'Could not parse the specified URI.');
  try {
    return decodeURIComponent(path);
  } catch {
    throw new S3Refusal('InvalidURI', 'The key is not UTF-8.');
  }
}

function parametersOf(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === '' || parameters.has(name))
      throw new S3Refusal('InvalidArgument', 'A query parameter has no name, or is there twice.');
    parameters.set(name, value);
  }
  return parameters;
}
