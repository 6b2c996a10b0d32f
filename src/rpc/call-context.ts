import type { EventEmitter } from 'node:events';
import {
  Metadata,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { plainAddress } from '../core/net/own-address.ts';
import { DragonflyError } from '../core/errors.ts';
import { unknownCaller, type Caller } from './server/caller.ts';
import { announcesSwarm } from './features.ts';

export type AnyServerCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerReadableStream<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;

/** Created once: capturing a stack that nobody sees would be a tenth of the cost of a small call. */
const callerGone = new DragonflyError('CANCELLED', 'the caller cancelled the call or is gone');

/** What a handler knows of its call besides the request. */
export class CallContext {
  /** Aborts when the caller cancels or goes away, and when the call has ended. */
  readonly signal: AbortSignal;
  /** Aborts when the server begins to stop. */
  readonly draining: AbortSignal;
  readonly metadata: Metadata;
  /** Address of the caller, `ip:port`; begins with `unix:` for a unix socket. */
  readonly peer: string;
  /** Known before the handler is called. */
  caller: Caller = unknownCaller;
  /** Whether the call came over this machine's unix socket. */
  readonly isLocalSocket: boolean;
  /** Whether a caller that acts for a host or service has to prove its identity. */
  readonly identityRequired: boolean;
  readonly #call: AnyServerCall;
  readonly #header: Readonly<Record<string, string>>;
  readonly #controller = new AbortController();
  #accepted = false;

  constructor(
    call: AnyServerCall,
    server: {
      readonly draining: AbortSignal;
      readonly isLocalSocket: boolean;
      readonly identityRequired: boolean;
      readonly header: Readonly<Record<string, string>>;
    },
  ) {
    this.#call = call;
    this.#header = server.header;
    this.signal = this.#controller.signal;
    this.draining = server.draining;
    this.isLocalSocket = server.isLocalSocket;
    this.identityRequired = server.identityRequired;
    this.metadata = call.metadata;
    this.peer = call.getPeer();
    if (call.cancelled) this.#cancelled();
    (call as EventEmitter).on('cancelled', () => this.#cancelled());
  }

  /** The caller understands this implementation's extensions of the protocol. */
  get callerHasSwarm(): boolean {
    return announcesSwarm(this.metadata);
  }

  /** Address of the caller without its port; empty for a unix socket. */
  get peerHost(): string {
    return this.isLocalSocket ? '' : plainAddress(this.peer.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
  }

  /**
   * Sends the metadata that precedes the first answer, once. Only call it when there is an answer: callers of the
   * original expect an error to come without metadata before it.
   */
  accept(): void {
    if (this.#accepted) return;
    this.#accepted = true;
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(this.#header)) metadata.set(name, value);
    this.#call.sendMetadata(metadata);
  }

  abort(reason: Error): void {
    if (!this.signal.aborted) this.#controller.abort(reason);
  }

  #cancelled(): void {
    this.abort(callerGone);
  }
}
