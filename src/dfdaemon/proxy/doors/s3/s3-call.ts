/** One S3 request that was read, checked and allowed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProxyClient } from '../../../../rpc/server/caller.ts';
import type { CallRecord } from '../../client-call.ts';
import type { S3Caller } from './s3-callers.ts';
import type { S3Store } from './s3-store.ts';
import type { S3Target } from './s3-target.ts';

export interface S3Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: S3Target;
  readonly caller: S3Caller;
  /** For downloads: the operator has named the store, so it may be on this machine. */
  readonly downloader: ProxyClient;
  readonly store: S3Store;
  readonly requestId: string;
  /** Aborts when the client has gone or the server ends. */
  readonly signal: AbortSignal;
  readonly record: CallRecord;
}

/** A header of the request; values of a repeated one are joined. */
export function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
