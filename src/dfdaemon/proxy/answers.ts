/** The responses that the proxy generates itself: errors, in the form that the client understands. */
import type { ServerResponse } from 'node:http';
import type { DragonflyError, ErrorCode } from '../../core/errors.ts';
import { storedResponseHeader } from './wire/header.ts';
import type { CallKind } from './client-call.ts';

/** Who caused an error, in the header that the original sends: the origin, this proxy, or the download engine. */
export type ErrorType = 'backend' | 'proxy' | 'dfdaemon';

const registryCodes: Partial<Record<ErrorCode, string>> = {
  NOT_FOUND: 'NAME_UNKNOWN',
  PERMISSION_DENIED: 'DENIED',
  UNAUTHENTICATED: 'UNAUTHORIZED',
  RESOURCE_EXHAUSTED: 'TOOMANYREQUESTS',
  DIGEST_MISMATCH: 'DIGEST_INVALID',
};

/**
 * Sends the error if the header has not been sent yet. Otherwise breaks the connection, so that the client does not take it for a
 * complete response.
 */
export function answerError(
  response: ServerResponse,
  error: DragonflyError,
  options: {
    readonly kind: CallKind;
    readonly type: ErrorType;
    readonly status?: number | undefined;
    readonly header?: Record<string, string>;
  },
): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const message = error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
  const registry = options.kind === 'mirror';
  const body = registry
    ? JSON.stringify({ errors: [{ code: registryCodes[error.code] ?? 'UNKNOWN', message }] })
    : `${message}\n`;
  response.writeHead(options.status ?? error.mapping.http, {
    'content-type': registry ? 'application/json' : 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-dragonfly-error-type': options.type,
    ...options.header,
  });
  response.end(response.req.method === 'HEAD' ? undefined : Buffer.from(body));
}

const registryStatusCodes: Readonly<Record<number, string>> = {
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  404: 'BLOB_UNKNOWN',
  429: 'TOOMANYREQUESTS',
};

/** Passes on the origin's status and header as the client would have seen them without the proxy; for a registry, in its own error format. */
export function answerOriginStatus(response: ServerResponse, error: DragonflyError, registry: boolean): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { statusCode = 502, header = {} } = error.details ?? {};
  const challenge = header['www-authenticate'];
  const code = registryStatusCodes[statusCode] ?? 'UNKNOWN';
  const body = registry ? `${JSON.stringify({ errors: [{ code, message: error.message }] })}\n` : `${error.message}\n`;
  response.writeHead(statusCode, {
    ...storedResponseHeader(header),
    ...(challenge === undefined ? {} : { 'www-authenticate': challenge }),
    'content-type': registry ? 'application/json' : 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-dragonfly-error-type': 'backend' satisfies ErrorType,
  });
  response.end(response.req.method === 'HEAD' ? undefined : Buffer.from(body));
}
