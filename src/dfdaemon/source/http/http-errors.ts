/** Describes failures on the way to an origin, in one sentence and a hint. */
import { DragonflyError, toDragonflyError, type ErrorCode } from '../../../core/errors.ts';

interface Explanation {
  readonly what: string;
  readonly hint: string;
}

const network: Readonly<Record<string, Explanation>> = {
  ENOTFOUND: {
    what: 'the host name is unknown',
    hint: 'Check the spelling of the host and the name server of this machine.',
  },
  EAI_AGAIN: {
    what: 'the name server does not answer',
    hint: 'Check the name server of this machine, then try again.',
  },
  ECONNREFUSED: { what: 'nothing listens there', hint: 'Check host and port, and that the origin is running.' },
  ECONNRESET: {
    what: 'the origin closed the connection',
    hint: 'Try again; if it stays, look into the log of the origin.',
  },
  EPIPE: { what: 'the origin closed the connection', hint: 'Try again; if it stays, look into the log of the origin.' },
  ETIMEDOUT: { what: 'the origin does not answer in time', hint: 'Check the network and the load of the origin.' },
  EHOSTUNREACH: {
    what: 'there is no route to the host',
    hint: 'Check the network between this machine and the origin.',
  },
  ENETUNREACH: { what: 'there is no route to the network', hint: 'Check the network of this machine.' },
  ETRUNCATED: {
    what: 'the answer ended before all of its bytes had arrived',
    hint: 'Try again; if it stays, the origin is broken.',
  },
  EPROTO: {
    what: 'the TLS handshake failed',
    hint: 'Check that the port speaks TLS, or write http:// instead of https://.',
  },
};

const certificateHint =
  'Trust its authority by configuration, or correct the certificate; the check is only skipped for hosts listed as insecure.';

const certificates: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate comes from an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from an authority that is not trusted',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  CERT_REVOKED: 'its certificate was revoked',
};

/** Turns a failed connection into the error that a user reads. DragonflyErrors and cancellations pass unchanged. */
export function connectionError(origin: string, error: unknown, signal: AbortSignal): DragonflyError {
  if (error instanceof DragonflyError) return error;
  if (signal.aborted) return cancelled(signal);
  if (!(error instanceof Error)) return unreachable(origin, String(error));
  if (error.name === 'AbortError') return toDragonflyError(error);
  // When several addresses were tried, the first failure stands for all.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const { code: rawCode } = first as { code?: unknown };
  const code = typeof rawCode === 'string' ? rawCode : '';
  const certificate = certificates[code];
  if (certificate !== undefined) {
    return unreachable(origin, `${certificate} (${code})`, { cause: error, hint: certificateHint });
  }
  const known = network[code.startsWith('ERR_SSL') ? 'EPROTO' : code];
  if (known) return unreachable(origin, known.what, { cause: error, hint: known.hint });
  return unreachable(origin, error.message, { cause: error });
}

/** The reason for an abort, as an error with the right code. */
export function cancelled(signal: AbortSignal): DragonflyError {
  const reason: unknown = signal.reason;
  if (reason instanceof DragonflyError) return reason;
  const code: ErrorCode = reason instanceof Error && reason.name === 'TimeoutError' ? 'DEADLINE_EXCEEDED' : 'CANCELLED';
  const what = code === 'CANCELLED' ? 'the download was cancelled' : 'the download took longer than its deadline';
  return new DragonflyError(code, what, { cause: reason });
}

function unreachable(origin: string, what: string, options: { cause?: unknown; hint?: string } = {}): DragonflyError {
  return new DragonflyError('SOURCE_UNREACHABLE', `cannot download from ${origin}: ${what}`, options);
}
