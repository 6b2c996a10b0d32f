/** What the status of an origin's answer means for the next request; the one place where daemon and scheduler learn it from. */

/** 408 timeout, 425 too early, 429 throttled. */
const passing: ReadonlySet<number> = new Set([408, 425, 429]);

/** 401 unauthorized, 403 forbidden, 407 proxy authentication required. */
const refusals: ReadonlySet<number> = new Set([401, 403, 407]);

/** The same request may succeed later: a timeout, throttling, or a fault of the server. */
export function isTemporaryStatus(statusCode: number): boolean {
  return statusCode >= 500 || passing.has(statusCode);
}

/** Asking again gives the same answer. */
export function isPermanentStatus(statusCode: number): boolean {
  return statusCode >= 400 && !isTemporaryStatus(statusCode);
}

/** Refused because of the credentials: other credentials may be accepted. */
export function isCredentialStatus(statusCode: number): boolean {
  return refusals.has(statusCode);
}
