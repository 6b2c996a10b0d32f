/** Identifies the caller as far as an origin could: a key over everything in a request that may be a credential. */
import { createHash } from 'node:crypto';
import { isCredentialHeader } from '../../../core/redact.ts';

/** Headers by which no origin decides access. Any other counts as a credential: a mistake in that direction costs one request. */
const neutral = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'b3',
  'cache-control',
  'content-length',
  'content-type',
  'date',
  'dnt',
  'docker-distribution-api-version',
  'forwarded',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'origin',
  'pragma',
  'priority',
  'range',
  'traceparent',
  'tracestate',
  'upgrade-insecure-requests',
  'user-agent',
  'via',
  'want-content-digest',
  'want-digest',
  'want-repr-digest',
  'x-correlation-id',
  'x-forwarded-for',
  'x-meta-source-client',
  'x-request-id',
]);

/** Equal for requests that have the same rights as far as an origin can tell; empty for a request without credentials. */
export function callerKey(header: Readonly<Record<string, string>>): string {
  const parts = Object.entries(header)
    .filter(([name]) => !neutral.has(name))
    .map(([name, value]) => `${name}: ${value}`)
    .sort();
  return parts.length === 0 ? '' : createHash('sha256').update(parts.join('\n')).digest('base64');
}

/**
 * The caller as far as a registry could tell: a right may lie in the query as well. Empty for a stranger, who has
 * neither.
 */
export function callerOf({
  header,
  url,
}: {
  readonly header: Readonly<Record<string, string>>;
  readonly url: URL;
}): string {
  const caller = callerKey(header);
  if (url.search === '') return caller;
  return createHash('sha256').update(`${caller}\n${url.search}`).digest('base64');
}

/** The same request as an anonymous caller would send it. */
export function withoutCredentials(header: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(header).filter(([name]) => neutral.has(name)));
}

/**
 * The request carries something that identifies a person, judging by the usual field names. Narrower than `callerKey`:
 * it only decides whether an answer that its origin calls fresh and not private may be reused.
 */
export function hasCredentials(header: Readonly<Record<string, string>>): boolean {
  return Object.keys(header).some((name) => !neutral.has(name) && isCredentialHeader(name));
}
