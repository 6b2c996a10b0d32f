/**
 * How errors travel over gRPC.
 *
 * The status code comes from the error catalogue. The origin's answer travels as the protocol defines it: as the JSON
 * text of errordetails.v2.Backend in the binary status details. Our own code and hint travel in two additional headers,
 * so that nothing is lost between two of our sides.
 */
import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { DragonflyError, errorCodes, toDragonflyError, type ErrorCode, type ErrorDetails } from '../core/errors.ts';

const detailsHeader = 'grpc-status-details-bin';
const codeHeader = 'x-dragonfly-error-code';
const hintHeader = 'x-dragonfly-error-hint';

export function statusFromError(cause: unknown): StatusObject {
  const error = toDragonflyError(cause);
  const metadata = new Metadata();
  metadata.set(codeHeader, error.code);
  if (error.hint !== undefined) metadata.set(hintHeader, encodeURIComponent(error.hint));
  if (error.details?.statusCode !== undefined) {
    const backend = {
      message: error.message,
      header: error.details.header ?? {},
      status_code: error.details.statusCode,
    };
    metadata.set(detailsHeader, Buffer.from(JSON.stringify(backend)));
  }
  return { code: error.mapping.grpc, details: error.message, metadata };
}

/** Converts any failure of a call to a DragonflyError; `what` names the call and the other side. */
export function errorFromStatus(cause: unknown, what: string): DragonflyError {
  if (!isServiceError(cause)) return toDragonflyError(cause);
  const backend = backendDetails(cause.metadata);
  const code = ownCode(cause) ?? (backend ? 'SOURCE_STATUS' : codeOf(cause));
  const hint = ownHint(cause.metadata);
  const text = cause.details === '' ? cause.message : cause.details;
  // An error of our own side is already worded for the reader; a transport failure needs the address.
  const message = ownCode(cause) ? text : `${what}: ${text}`;
  return new DragonflyError(code, message, {
    cause,
    ...(hint === undefined ? {} : { hint }),
    ...(backend ? { details: backend } : {}),
  });
}

const codesByStatus: Readonly<Record<number, ErrorCode>> = {
  [status.CANCELLED]: 'CANCELLED',
  [status.INVALID_ARGUMENT]: 'INVALID_ARGUMENT',
  [status.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [status.NOT_FOUND]: 'NOT_FOUND',
  [status.ALREADY_EXISTS]: 'ALREADY_EXISTS',
  [status.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [status.RESOURCE_EXHAUSTED]: 'RESOURCE_EXHAUSTED',
  [status.FAILED_PRECONDITION]: 'FAILED_PRECONDITION',
  [status.ABORTED]: 'FAILED_PRECONDITION',
  [status.OUT_OF_RANGE]: 'RANGE_NOT_SATISFIABLE',
  [status.UNIMPLEMENTED]: 'UNSUPPORTED',
  [status.UNAVAILABLE]: 'UNAVAILABLE',
  [status.UNAUTHENTICATED]: 'UNAUTHENTICATED',
};

/** The library reports a stream cut by the end of its connection as an internal error; the other side is merely gone. */
function codeOf({ code, details }: ServiceError): ErrorCode {
  // Daemons of the original only name the cause in text.
  if (code === status.INTERNAL && details.startsWith('digest mismatch expected: ')) return 'DIGEST_MISMATCH';
  if (code === status.INTERNAL && /^Received RST_STREAM with code [0278]\b/.test(details)) return 'UNAVAILABLE';
  return codesByStatus[code] ?? 'INTERNAL';
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === 'number' && 'details' in error;
}

function ownCode(error: ServiceError): ErrorCode | undefined {
  const text = error.metadata?.get(codeHeader)[0];
  return typeof text === 'string' && Object.hasOwn(errorCodes, text) ? (text as ErrorCode) : undefined;
}

function ownHint(metadata: Metadata | undefined): string | undefined {
  const text = metadata?.get(hintHeader)[0];
  if (typeof text !== 'string') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // not written by our side
  }
}

function backendDetails(metadata: Metadata | undefined): ErrorDetails | undefined {
  const bytes = metadata?.get(detailsHeader)[0];
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    const { status_code: statusCode, header } = JSON.parse(bytes.toString('utf8')) as {
      status_code?: unknown;
      header?: unknown;
    };
    if (typeof statusCode !== 'number') return undefined;
    const pairs = Object.entries((header ?? {}) as Record<string, unknown>);
    return {
      statusCode,
      header: Object.fromEntries(pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string')),
    };
  } catch {
    return undefined; // details in another format than this protocol's
  }
}
