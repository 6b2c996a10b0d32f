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

/** Made once: the stack of a reason that nobody is shown would be a tenth of what a small call costs. */
const callerGone = new DragonflyError('CANCELLED', 'the caller cancelled the call or is gone');

/** What a handler knows of its call beside the request. */
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
  /** The call came over the unix socket of this machine. */
  readonly isLocalSocket: boolean;
  /** A caller that acts for a host or service must prove that it is that host or service. */
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
   * Sends the metadata that comes before the first answer, once. Not before there is something to answer: an error
   * without any metadata before it is the whole answer, which is what callers of the original read.
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
