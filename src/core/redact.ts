/**
 * Takes credentials out of text that people or logs will read: user:password in URLs, signed query parameters,
 * bearer and basic tokens. Secrets are recognised by position, so an unknown secret elsewhere is the caller's to keep out.
 */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1***@'],
  [/\b(bearer|basic)\s+[a-z0-9._~+/=-]+/gi, '$1 ***'],
  [
    /([?&](?:[a-z-]*signature|[a-z-]*credential|[a-z-]*security-?token|[a-z_-]*token|password|secret|access_?key(?:id)?|sig|q-ak)=)[^&\s"']+/gi,
    '$1***',
  ],
];

export function redact(text: string): string {
  return patterns.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

const secretHeaders = /^(authorization|proxy-authorization|cookie|set-cookie|x-.*(token|key|secret|signature).*)$/i;

/** The value of this header must not reach logs, records or anyone but the origin. */
export function isSecretHeader(name: string): boolean {
  return secretHeaders.test(name);
}

/** Header map with secret values replaced, for logs and records. */
export function redactHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, secretHeaders.test(name) ? '***' : value]),
  );
}
