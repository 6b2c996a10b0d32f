/** One client request on its way through the proxy, after parsing and checks. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DragonflyError } from '../../core/errors.ts';
import type { ProxyClient } from '../../rpc/server/caller.ts';
import type { HeaderRecord } from './wire/header.ts';
import type { RequestOptions } from './request-options.ts';
import type { MirrorNaming } from './registry/mirror-naming.ts';
import type { Trust } from '../source/trust-store.ts';

/** How the client addressed the proxy: as a mirror of a registry, with an absolute URL, or inside an intercepted tunnel. */
export type CallKind = 'mirror' | 'forward' | 'intercepted';

export interface ClientCall {
  readonly kind: CallKind;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The URL of the requested content, for code that has to interpret it. */
  readonly url: URL;
  /** The same exactly as the client wrote it: path and query, and the value of Host. */
  readonly target: string;
  readonly authority: string;
  /** Of a request to the mirror whose registry's relative references mean another one there. */
  readonly naming?: MirrorNaming | undefined;
  /** The header that is sent upstream, without hop-by-hop and control headers. */
  readonly header: Readonly<HeaderRecord>;
  readonly options: RequestOptions;
  readonly trust: Trust;
  readonly loopbackAllowed: boolean;
  readonly caller: ProxyClient;
  /** Sent as X-Dragonfly-Server-IP when a rule routes the request through the peers, whoever answers it in the end. */
  readonly serverIp?: string;
  /** Aborts when the client disconnects or the server ends. */
  readonly signal: AbortSignal;
  readonly record: CallRecord;
}

/** The route of an answer: a direct answer after a failed download counts as `direct`, and `cache` is a small answer from memory. */
export type Way = 'peers' | 'cache' | 'direct' | 'manifest' | 'tunnel' | 'refused';

/** Filled in while the call is handled, for the access log and the metrics. */
export interface CallRecord {
  readonly startedMs: number;
  way: Way;
  firstByteMs: number | undefined;
  bytes: number;
  taskId: string | undefined;
  peerId: string | undefined;
  error: DragonflyError | undefined;
}

export function newRecord(): CallRecord {
  return {
    startedMs: performance.now(),
    way: 'refused',
    firstByteMs: undefined,
    bytes: 0,
    taskId: undefined,
    peerId: undefined,
    error: undefined,
  };
}

export function noteFirstByte(record: CallRecord): void {
  record.firstByteMs ??= performance.now() - record.startedMs;
}
