/**
 * What an origin's answer that is not the content means: a 404, a 403, a 503. Daemon and scheduler both read it
 * here; of its own daemons the scheduler takes their word that a failure is temporary.
 *
 * The node that asked decides about its own download in swarm/peer/download/origin-leases.ts, `failed`; the scheduler
 * decides about everybody else in swarm/scheduler/origin/origin-failures.ts.
 */
import type { DragonflyError } from '../errors.ts';

/** 408 timeout, 425 too early, 429 throttled. */
const passing: ReadonlySet<number> = new Set([408, 425, 429]);

/** 401 unauthorized, 403 forbidden, 407 proxy authentication required. */
const refusals: ReadonlySet<number> = new Set([401, 403, 407]);

/** The same request may succeed later: a timeout, throttling, or a fault of the server. */
export function isTemporaryStatus(statusCode: number): boolean {
  return statusCode >= 500 || passing.has(statusCode);
}

/** The same request may succeed later. A name that does not exist or a certificate that does not verify stays wrong. */
export function isTemporaryFailure(error: DragonflyError): boolean {
  if (error.code === 'DEADLINE_EXCEEDED') return true;
  if (error.code === 'SOURCE_UNREACHABLE') {
    const code = (error.cause as NodeJS.ErrnoException | undefined)?.code;
    return typeof code !== 'string' || (code !== 'ENOTFOUND' && !/CERT|SSL|TLS/.test(code));
  }
  const status = error.details?.statusCode;
  return error.code === 'SOURCE_STATUS' && status !== undefined && isTemporaryStatus(status);
}

/** Asking again gives the same answer. */
export function isPermanentStatus(statusCode: number): boolean {
  return statusCode >= 400 && !isTemporaryStatus(statusCode);
}

/** Refused because of the credentials: other credentials may be accepted. */
export function isCredentialStatus(statusCode: number): boolean {
  return refusals.has(statusCode);
}
