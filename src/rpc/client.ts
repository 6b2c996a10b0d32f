/** Typed clients over the generated services: promises for single answers, async iterables for streams. */
import {
  Metadata,
  type CallOptions as GrpcCallOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
} from '@grpc/grpc-js';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import { onAbort } from '../core/process/lifecycle.ts';
import type { Channels } from './channels.ts';
import {
  grpcMethod,
  type MethodDefinition,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
} from './definition.ts';
import { featuresHeader, swarmFeature } from './features.ts';
import { unaryTimeoutMs } from './limits.ts';
import { errorFromStatus } from './status.ts';
import { readMessages, writeMessage } from './streams.ts';
import type { MemberRole } from './server/caller.ts';
import { injectTrace } from './tracing.ts';

const callEnded = new DragonflyError('CANCELLED', 'the call has ended');

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Deadline of the whole call; 10 s by default for unary calls, none for streams. */
  readonly timeoutMs?: number | undefined;
  /** Values of names ending in `-bin` are buffers. */
  readonly metadata?: Readonly<Record<string, string | Buffer>>;
  /** Called with the first metadata of the server, which lists its features. */
  readonly onMetadata?: (metadata: Metadata) => void;
}

type Call<M extends MethodDefinition> = M['requestStream'] extends true
  ? M['responseStream'] extends true
    ? (requests: AsyncIterable<RequestOf<M>>, options?: CallOptions) => AsyncIterable<ResponseOf<M>>
    : (requests: AsyncIterable<RequestOf<M>>, options?: CallOptions) => Promise<ResponseOf<M>>
  : M['responseStream'] extends true
    ? (request: RequestOf<M>, options?: CallOptions) => AsyncIterable<ResponseOf<M>>
    : (request: RequestOf<M>, options?: CallOptions) => Promise<ResponseOf<M>>;

/**
 * Every method throws DragonflyError; a call starts when the method is called. Leaving the loop over a stream of
 * answers cancels the call; when the requests of a call throw, it is cancelled and throws the same error.
 */
export type RpcClient<S extends ServiceDefinition> = { readonly [K in keyof S['methods']]: Call<S['methods'][K]> };

/** @param address as in channels.ts. The connection is opened by the first call. */
export function createClient<S extends ServiceDefinition>(
  service: S,
  channels: Channels,
  address: string,
): RpcClient<S> {
  const role = roles.find(([ofRole]) => service.fullName.startsWith(ofRole))?.[1];
  if (role && !address.startsWith('unix:')) channels.expect(address, role);
  const methods = Object.entries(service.methods).map(([key, method]) => {
    const call = new MethodCall(service, method, channels, address);
    if (method.responseStream)
      return [key, (request: unknown, options?: CallOptions) => call.stream(request, options ?? {})];
    return [key, (request: unknown, options?: CallOptions) => call.single(request, options ?? {})];
  });
  return Object.fromEntries(methods) as RpcClient<S>;
}

/** Who serves what, by the beginning of its name. */
const roles: readonly (readonly [string, MemberRole])[] = [
  ['scheduler.', 'scheduler'],
  ['manager.', 'manager'],
];

class MethodCall {
  readonly #service: ServiceDefinition;
  readonly #method: MethodDefinition;
  readonly #channels: Channels;
  readonly #address: string;

  constructor(service: ServiceDefinition, method: MethodDefinition, channels: Channels, address: string) {
    this.#service = service;
    this.#method = method;
    this.#channels = channels;
    this.#address = address;
  }

  async single(request: unknown, options: CallOptions): Promise<unknown> {
    const { client, ends } = this.#begin(options);
    const { path, requestSerialize, responseDeserialize } = grpcMethod(this.#service, this.#method);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const done = (error: Error | null, response?: unknown): void => (error ? reject(error) : resolve(response));
    const deadline = grpcOptions({ timeoutMs: unaryTimeoutMs, ...options });
    const metadata = outgoingMetadata(options, this.#channels.metadataFor(this.#address));
    const call = this.#method.requestStream
      ? client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, metadata, deadline, done)
      : client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, deadline, done);
    const cancel = (): void => call.cancel();
    const release = onFirstAbort(ends, cancel);
    call.on('metadata', (header) => this.#heard(header, options));
    const sending = this.#method.requestStream
      ? send(call as ClientDuplexStream<unknown, unknown>, request as AsyncIterable<unknown>, (error) => {
          reject(error);
          call.cancel();
        })
      : undefined;
    try {
      return await promise;
    } catch (error) {
      throw this.#failure(error, ends);
    } finally {
      sending?.stop();
      release();
    }
  }

  /** The call starts immediately, not with the first pull. */
  stream(request: unknown, options: CallOptions): AsyncGenerator<unknown, void, undefined> {
    const { client, ends } = this.#begin(options);
    const { path, requestSerialize, responseDeserialize } = grpcMethod(this.#service, this.#method);
    const deadline = grpcOptions(options);
    const metadata = outgoingMetadata(options, this.#channels.metadataFor(this.#address));
    const call: ClientReadableStream<unknown> = this.#method.requestStream
      ? client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, deadline)
      : client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata, deadline);
    call.on('metadata', (header) => this.#heard(header, options));
    const controller = new AbortController();
    const abort = (reason: unknown): void => {
      controller.abort(reason);
      call.cancel();
    };
    const release = onFirstAbort(ends, abort);
    const responses = readMessages(call, controller.signal);
    const sending = this.#method.requestStream
      ? send(call as ClientDuplexStream<unknown, unknown>, request as AsyncIterable<unknown>, abort)
      : undefined;
    const end = (): void => {
      release();
      sending?.stop();
    };
    // Requests end with the call even if nobody pulls its answers any more.
    call.once('status', end);
    return this.#answers(responses, { call, ends, end });
  }

  async *#answers(
    responses: AsyncIterable<unknown>,
    { call, ends, end }: { call: ClientReadableStream<unknown>; ends: readonly AbortSignal[]; end: () => void },
  ): AsyncGenerator<unknown, void, undefined> {
    try {
      yield* responses;
    } catch (error) {
      throw this.#failure(error, ends);
    } finally {
      call.cancel(); // no effect on a finished call
      end();
    }
  }

  #heard(header: Metadata, { onMetadata }: CallOptions): void {
    this.#channels.heard(this.#address, header);
    onMetadata?.(header);
  }

  /** The connection, and the signals that end the call: the caller's, and that of the connection. */
  #begin({ signal }: CallOptions): { client: Client; ends: readonly AbortSignal[] } {
    signal?.throwIfAborted();
    const { client, closed } = this.#channels.get(this.#address);
    return { client, ends: signal ? [signal, closed] : [closed] };
  }

  #failure(error: unknown, ends: readonly AbortSignal[]): Error {
    const aborted = ends.find((signal) => signal.aborted);
    if (aborted) return toDragonflyError(aborted.reason);
    return errorFromStatus(error, `${this.#service.fullName}/${this.#method.name} at ${this.#address}`);
  }
}

/** AbortSignal.any would leave a dependant on the connection's signal, which outlives thousands of calls. */
function onFirstAbort(signals: readonly AbortSignal[], act: (reason: unknown) => void): () => void {
  const listening = signals.map((signal) => onAbort(signal, () => act(signal.reason)));
  return () => listening.forEach((one) => one[Symbol.dispose]());
}

function grpcOptions({ timeoutMs }: CallOptions): GrpcCallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

/** Writes the requests until they end; then half-closes. A failure of the iterable goes to `onFailure`. */
function send(
  call: ClientDuplexStream<unknown, unknown>,
  requests: AsyncIterable<unknown>,
  onFailure: (error: unknown) => void,
): { stop(): void } {
  const stopped = new AbortController();
  const iterator = requests[Symbol.asyncIterator]();
  const run = async (): Promise<void> => {
    for (;;) {
      const next = await iterator.next();
      if (stopped.signal.aborted) return;
      if (next.done === true) break;
      try {
        await writeMessage(call, next.value, stopped.signal);
      } catch {
        return; // the call has ended; its status has the reason
      }
    }
    call.end();
  };
  run().catch((error: unknown) => {
    if (!stopped.signal.aborted) onFailure(error);
  });
  return {
    stop: () => {
      stopped.abort(callEnded);
      void iterator.return?.(undefined).catch(() => undefined);
    },
  };
}

function outgoingMetadata(options: CallOptions, always: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  metadata.set(featuresHeader, swarmFeature);
  for (const [key, value] of Object.entries({ ...always, ...options.metadata })) metadata.set(key, value);
  injectTrace(metadata);
  return metadata;
}
