/**
 * Removes credentials from text for people or logs, and from what is stored: user:password in URLs, keys, tokens and
 * signatures in their queries, bearer and basic tokens. Secrets are recognised by position, so callers have to keep
 * secrets out of any other place.
 */

/** Query parameters with credentials that stay valid until somebody changes them. */
const standing =
  '[a-z_.-]{0,60}(?:token|api[_-]?key|password|passwd|pwd|secret|secret[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|subscription[_-]?key|credentials?|jwt|session[_-]?id)|key|auth|authorization';
/** Names of those that open one object for a while. */
const signed =
  '[a-z_.-]{0,60}(?:signature|credential|security[_-]?token)|sig|q-ak|q-signature|hmac|policy|hdnea|hdnts|hdntl';

const standingParam = new RegExp(`^(?:${standing})$`, 'i');
const signedParam = new RegExp(`^(?:${signed})$`, 'i');

const patterns: readonly (readonly [RegExp, string])[] = [
  [/(\b[a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#]*@/gi, '$1***@'],
  [/\b(bearer|basic)\s+[a-z0-9._~+/=-]+/gi, '$1 ***'],
  [new RegExp(`([?&](?:${standing}|${signed})=)[^&\\s"'#]+`, 'gi'), '$1***'],
];

export function redact(text: string): string {
  return patterns.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

/** The URL contains a password, or a key that grants access to more than this object: it must not leave this node. */
export function hasStandingSecret(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password, searchParams } = new URL(url);
  if (password !== '' || (username !== '' && /^https?:/.test(url))) return true;
  const names = [...searchParams.keys()];
  // A signed URL names the key that signed it.
  return !names.some((name) => signedParam.test(name)) && names.some((name) => standingParam.test(name));
}

/** Headers that contain no credentials. Any other may: every store has names of its own. */
const harmless: ReadonlySet<string> = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'connection',
  'content-length',
  'content-type',
  'date',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'pragma',
  'range',
  'te',
  'traceparent',
  'tracestate',
  'user-agent',
  'via',
  'x-dragonfly-application',
  'x-dragonfly-filtered-query-params',
  'x-dragonfly-piece-length',
  'x-dragonfly-prefetch',
  'x-dragonfly-priority',
  'x-dragonfly-registry',
  'x-dragonfly-tag',
  'x-dragonfly-use-p2p',
]);

/** The value of this header must not reach logs, records or anyone but the origin. */
export function isSecretHeader(name: string): boolean {
  return !harmless.has(name.toLowerCase());
}

/** Whether the header identifies a user. Narrower than `isSecretHeader`. */
export function isCredentialHeader(name: string): boolean {
  return isSecretHeader(name) && credentialName.test(name.toLowerCase());
}

const credentialName =
  /auth|cookie|token|secret|session|passw|credential|signature|key|apikey|user|tenant|account|login|identity|jwt|sso|saml|^x-(amz|goog|ms|oss|obs|cos|tos)-/;

/** Header map with secret values replaced, for logs and records. */
export function redactHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, isSecretHeader(name) ? '***' : redact(value)]),
  );
}
