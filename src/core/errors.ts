/**
 * The product's only error type, and the catalogue of its codes.
 *
 * A code says what went wrong; the catalogue maps it to the gRPC status, the HTTP status and the process exit code, so
 * that no shell decides that again. `docs/errors.md` explains every code; a test keeps both in sync.
 */
import { printable } from './text/printable.ts';
import { redact } from './redact.ts';

interface CodeMapping {
  /** Number of google.rpc.Code. */
  readonly grpc: number;
  readonly http: number;
  /** Exit status of a command line tool. */
  readonly exit: number;
}

/** Exit codes: 1 failure, 2 wrong use, 3 refused by the origin, 4 content wrong, 5 local system, 6 service unreachable, 130 cancelled. */
export const errorCodes = {
  INVALID_ARGUMENT: { grpc: 3, http: 400, exit: 2 },
  CONFIG_INVALID: { grpc: 9, http: 500, exit: 2 },
  NOT_FOUND: { grpc: 5, http: 404, exit: 1 },
  /** The scheduler does not know the host: it has restarted, and the host has to be announced again. */
  HOST_UNKNOWN: { grpc: 5, http: 404, exit: 1 },
  /** The scheduler no longer knows the download, which has to be registered again. */
  PEER_UNKNOWN: { grpc: 5, http: 404, exit: 1 },
  ALREADY_EXISTS: { grpc: 6, http: 409, exit: 1 },
  /** Other nodes have other content under the task's id. */
  TASK_CONFLICT: { grpc: 6, http: 409, exit: 1 },
  PERMISSION_DENIED: { grpc: 7, http: 403, exit: 1 },
  UNAUTHENTICATED: { grpc: 16, http: 401, exit: 1 },
  FAILED_PRECONDITION: { grpc: 9, http: 412, exit: 1 },
  RESOURCE_EXHAUSTED: { grpc: 8, http: 429, exit: 1 },
  UNAVAILABLE: { grpc: 14, http: 503, exit: 6 },
  DEADLINE_EXCEEDED: { grpc: 4, http: 504, exit: 6 },
  CANCELLED: { grpc: 1, http: 499, exit: 130 },
  INTERNAL: { grpc: 13, http: 500, exit: 1 },
  UNSUPPORTED: { grpc: 12, http: 501, exit: 2 },
  RANGE_NOT_SATISFIABLE: { grpc: 11, http: 416, exit: 2 },
  /** The origin answered with an error status, carried in `details.statusCode`. */
  SOURCE_STATUS: { grpc: 13, http: 502, exit: 3 },
  SOURCE_UNREACHABLE: { grpc: 14, http: 502, exit: 6 },
  /** The object changed at the origin while it was being downloaded. */
  SOURCE_CHANGED: { grpc: 10, http: 502, exit: 4 },
  DIGEST_MISMATCH: { grpc: 15, http: 502, exit: 4 },
  /** A parent does not hold the requested piece, or not any more. */
  PIECE_UNAVAILABLE: { grpc: 5, http: 404, exit: 1 },
  /** A peer broke the piece protocol. */
  PROTOCOL: { grpc: 13, http: 502, exit: 1 },
  NO_SPACE: { grpc: 8, http: 507, exit: 5 },
  STORAGE: { grpc: 13, http: 500, exit: 5 },
  OUTPUT: { grpc: 9, http: 500, exit: 5 },
  IN_USE: { grpc: 9, http: 409, exit: 5 },
  DAEMON_UNREACHABLE: { grpc: 14, http: 503, exit: 6 },
} as const satisfies Record<string, CodeMapping>;

export type ErrorCode = keyof typeof errorCodes;

/** The origin's answer, passed on to the user unchanged. */
export interface ErrorDetails {
  readonly statusCode?: number;
  readonly header?: Readonly<Record<string, string>>;
}

interface ErrorOptions {
  readonly cause?: unknown;
  /** What the reader can do about it, in one sentence. */
  readonly hint?: string;
  readonly details?: ErrorDetails;
}

export class DragonflyError extends Error {
  override readonly name = 'DragonflyError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: ErrorDetails | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(printable(redact(message)), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint === undefined ? undefined : printable(redact(options.hint));
    this.details = options.details;
  }

  get mapping(): CodeMapping {
    return errorCodes[this.code];
  }
}

/** Converts any thrown value to a DragonflyError: system errors keep their meaning, anything unknown is INTERNAL. */
export function toDragonflyError(error: unknown): DragonflyError {
  if (error instanceof DragonflyError) return error;
  if (!(error instanceof Error)) return new DragonflyError('INTERNAL', String(error));
  if (error.name === 'AbortError')
    return new DragonflyError('CANCELLED', 'the operation was cancelled', { cause: error });
  if (error.name === 'TimeoutError') {
    return new DragonflyError('DEADLINE_EXCEEDED', 'the operation took longer than its deadline', { cause: error });
  }
  const { code: systemCode, errcode } = error as NodeJS.ErrnoException & { readonly errcode?: unknown };
  // SQLite reports a full disk by a number of its own.
  const name = errcode === sqliteFull ? 'ENOSPC' : systemCode;
  const known = name === undefined ? undefined : systemErrors[name];
  if (known)
    return new DragonflyError(known.code, `${known.what}: ${error.message}`, { cause: error, hint: known.hint });
  return new DragonflyError('INTERNAL', error.message || error.name, { cause: error });
}

const sqliteFull = 13;

const systemErrors: Readonly<Record<string, { code: ErrorCode; what: string; hint: string }>> = {
  ENOSPC: {
    code: 'NO_SPACE',
    what: 'the disk is full',
    hint: 'Free space, or lower the storage quota so that old tasks are evicted sooner.',
  },
  EDQUOT: { code: 'NO_SPACE', what: 'the disk quota is used up', hint: 'Free space, or raise the quota.' },
  EIO: { code: 'STORAGE', what: 'the disk reported an error', hint: 'Check the kernel log and replace the disk.' },
  EROFS: {
    code: 'STORAGE',
    what: 'the file system is read-only',
    hint: 'Remount it writable, or choose another directory.',
  },
  EACCES: {
    code: 'PERMISSION_DENIED',
    what: 'access was denied',
    hint: 'Check owner and mode of the path and the user this runs as.',
  },
  EPERM: {
    code: 'PERMISSION_DENIED',
    what: 'the operation is not permitted',
    hint: 'Check owner and mode of the path and the user this runs as.',
  },
  ENOTDIR: {
    code: 'INVALID_ARGUMENT',
    what: 'a part of the path is not a directory',
    hint: 'Check the path, or choose another one.',
  },
  ENAMETOOLONG: { code: 'INVALID_ARGUMENT', what: 'the path is too long', hint: 'Choose a shorter one.' },
  ELOOP: { code: 'INVALID_ARGUMENT', what: 'the path leads in a circle', hint: 'Look at its symbolic links.' },
  EADDRINUSE: {
    code: 'IN_USE',
    what: 'the address is in use',
    hint: 'Stop the other program, or configure another port (0 picks a free one).',
  },
  EMFILE: {
    code: 'RESOURCE_EXHAUSTED',
    what: 'too many open files',
    hint: 'Raise the open-file limit of this process.',
  },
};
