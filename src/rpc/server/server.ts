/**
 * A gRPC server whose handlers are plain async functions.
 *
 * The path of a call: rate limit → decode → validation → handler in the caller's trace → status. Every server has
 * health and reflection. Stopping drains: no new calls, running ones get a deadline, then are cut.
 */
import { chmod } from 'node:fs/promises';
import {
  Server,
  status as grpcStatus,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { removeStaleSocket } from '../../core/files/stale-socket.ts';
import { withDeadline, type Closable } from '../../core/process/lifecycle.ts';
import { silentLogger, type Logger } from '../../core/process/logger.ts';
import { isLoopbackAddress, isOwnAddress } from '../../core/net/own-address.ts';
import { RateLimiter } from '../../core/rate-limiter.ts';
import { hostPort } from '../../core/net/host-port.ts';
import { CallContext, type AnyServerCall } from '../call-context.ts';
import {
  grpcMethod,
  type MethodDefinition,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
} from '../definition.ts';
import { admission } from './admission.ts';
import type { CallMetrics } from './call-metrics.ts';
import { CallPlaces } from './call-places.ts';
import { featuresHeader } from '../features.ts';
import { HealthService } from './health.ts';
import * as limits from '../limits.ts';
import { identityOf, type MemberIdentity } from '../member-identity.ts';
import { recognizeByCertificate, requireMay, type Access, type CallerRole, type Recognize } from '../rights.ts';
import { LocalListener, localUserOf } from './local-listener.ts';
import { addReflection } from './reflection.ts';
import { statusFromError } from '../status.ts';
import { endAnsweredStreams } from './stream-ending.ts';
import { boundUnfinishedMessages } from './unfinished-messages.ts';
import { readMessages, untilAborted, writeMessage } from '../streams.ts';
import { withTrace } from '../tracing.ts';
import type { ServerTls } from '../tls.ts';
import { PortListener, type OtherProtocol, type PortProtocols } from '../port-listener.ts';
import { validate } from '../validation/validate.ts';

/** Streams of requests arrive as iterables of validated messages; streams of answers are returned likewise. */
export type Handler<M extends MethodDefinition> = M['requestStream'] extends true
  ? M['responseStream'] extends true
    ? (requests: AsyncIterable<RequestOf<M>>, context: CallContext) => AsyncIterable<ResponseOf<M>>
    : (requests: AsyncIterable<RequestOf<M>>, context: CallContext) => Promise<ResponseOf<M>>
  : M['responseStream'] extends true
    ? (request: RequestOf<M>, context: CallContext) => AsyncIterable<ResponseOf<M>>
    : (request: RequestOf<M>, context: CallContext) => Promise<ResponseOf<M>>;

/** Methods without a handler answer UNIMPLEMENTED. */
export type Handlers<S extends ServiceDefinition> = { readonly [K in keyof S['methods']]?: Handler<S['methods'][K]> };

export type ListenAddress =
  /** Port 0 takes a free one. */
  | { readonly host: string; readonly port: number }
  /** A unix socket; the file of a dead process is replaced. `mode` as in chmod. */
  | { readonly socketPath: string; readonly mode: number };

export interface RpcServerOptions {
  /** For a TCP port; a unix socket is never encrypted. */
  readonly tls?: ServerTls | undefined;
  /** Another protocol on the same TCP port. */
  readonly other?: OtherProtocol | undefined;
  /** Full names of services that callers without a certificate may use where certificates are required per call. */
  readonly openServices?: readonly string[];
  /** A caller that acts for a host or service must present a certificate for it; see requireSpeaksFor. */
  readonly identityRequired?: boolean;
  /** Identifies callers over TCP; by default from their certificate. */
  readonly recognize?: Recognize;
  readonly logger?: Logger | undefined;
  /** Counts every call. */
  readonly metrics?: CallMetrics | undefined;
  /** Announced to every caller before the first answer; see features.ts. */
  readonly features?: readonly string[];
  /** Further metadata sent with the features, such as the instance of a scheduler. */
  readonly header?: () => Readonly<Record<string, string>>;
  readonly limits?: {
    /** Unary calls and new streams per second; more get RESOURCE_EXHAUSTED. */
    readonly requestsPerSec?: number;
    /** Maximum number of concurrent calls, streams included; by default as many as the heap allows. */
    readonly calls?: number;
    readonly maxRequestBytes?: number;
    readonly drainDeadlineMs?: number;
    readonly keepAliveMs?: number;
    readonly keepAliveTimeoutMs?: number;
  };
}

const callEnded = new DragonflyError('CANCELLED', 'the call has ended');

export class RpcServer implements Closable {
  readonly health: HealthService;
  readonly #server: Server;
  readonly #address: ListenAddress;
  readonly #options: RpcServerOptions;
  readonly #logger: Logger;
  readonly #rate: RateLimiter;
  readonly #services: string[] = [];
  /** Methods that need no identification. */
  readonly #open: string[] = [];
  readonly #header: () => Readonly<Record<string, string>>;
  readonly #draining = new AbortController();
  readonly #running = new Set<CallContext>();
  #port: number | undefined;
  #listener: PortListener | LocalListener | undefined;
  #endings: Disposable | undefined;
  #bounds: Disposable | undefined;
  #closing: Promise<void> | undefined;

  private constructor(address: ListenAddress, options: RpcServerOptions) {
    this.#address = address;
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    const { features = [], header } = options;
    const announced = features.length === 0 ? {} : { [featuresHeader]: features.join(',') };
    this.#header = () => ({ ...header?.(), ...announced });
    const perSec = options.limits?.requestsPerSec ?? Infinity;
    this.#rate = new RateLimiter(perSec, perSec);
    this.#server = new Server({
      interceptors: [admission(new CallPlaces(options.limits?.calls), (end) => this.#listener?.refused(end))],
      'grpc.max_receive_message_length': options.limits?.maxRequestBytes ?? limits.maxRequestBytes,
      'grpc.max_send_message_length': limits.maxResponseBytes,
      'grpc.max_concurrent_streams': limits.maxStreamsPerConnection,
      'grpc.max_metadata_size': limits.maxMetadataBytes,
      'grpc.keepalive_time_ms': options.limits?.keepAliveMs ?? limits.serverKeepAliveMs,
      'grpc.keepalive_timeout_ms': options.limits?.keepAliveTimeoutMs ?? limits.serverKeepAliveTimeoutMs,
    });
    this.health = new HealthService(this.#draining.signal);
    this.addService(this.health.definition, this.health.handlers);
    this.#open.length = 0; // the health service is open to everybody
  }

  /** Does not open the port yet: add services, then start. */
  static create(address: ListenAddress, options: RpcServerOptions = {}): RpcServer {
    return new RpcServer(address, options);
  }

  /** @param access which callers may call what; without it every caller may call everything. */
  addService<S extends ServiceDefinition>(service: S, handlers: Handlers<S>, access?: Access<S>): this {
    const definition = Object.fromEntries(
      Object.entries(service.methods).map(([key, method]) => [key, grpcMethod(service, method)]),
    );
    const implementation: Record<string, UntypedHandleCall> = {};
    for (const [key, handler] of Object.entries(handlers)) {
      const method = service.methods[key];
      if (!method) continue;
      const mayCall = access?.[key];
      if (access && !mayCall) throw new Error(`nothing says who may call ${method.name}`);
      if (!mayCall || mayCall.includes('stranger')) this.#open.push(method.name);
      implementation[key] = this.#call({ service: service.fullName, method, mayCall }, handler as AnyHandler);
    }
    this.#server.addService(definition, implementation);
    this.#services.push(service.fullName);
    this.health.setServing(service.fullName);
    return this;
  }

  /** Opens the port. Throws IN_USE when the address is taken, INVALID_ARGUMENT when it cannot be an address of this host. */
  async start(): Promise<void> {
    addReflection(this.#server, this.#services);
    this.#endings ??= endAnsweredStreams();
    this.#bounds ??= boundUnfinishedMessages();
    const { tls, other } = this.#options;
    const address = this.#address;
    if ('socketPath' in address) await removeStaleSocket(address.socketPath);
    if ('socketPath' in address) {
      await this.#listenLocally(address.socketPath);
      await chmod(address.socketPath, address.mode);
    } else {
      this.#port = await this.#listenForAll(address, { tls, other });
    }
    this.#logger.info({ address: this.address, tls: tls !== undefined }, 'gRPC server listens');
    if ('host' in address && (!tls || tls.acceptPlain === true) && !isLoopbackOnly(address.host))
      this.#logger.warn(
        { address: this.address, open: this.#open },
        'this port takes plain text: whoever reaches it may call what is open to strangers; see docs/security.md',
      );
  }

  async #listenLocally(path: string): Promise<void> {
    try {
      this.#listener = await LocalListener.listen(this.#server, path);
    } catch (error) {
      throw bindError(error as Error, `unix:${path}`);
    }
  }

  async #listenForAll(address: { host: string; port: number }, protocols: PortProtocols): Promise<number> {
    try {
      const listener = await PortListener.listen(this.#server, protocols, address);
      this.#listener = listener;
      return listener.port;
    } catch (error) {
      if (error instanceof DragonflyError) throw error;
      throw bindError(error as Error, hostPort(address.host, address.port));
    }
  }

  /** Bound TCP port. */
  get port(): number {
    if (this.#port === undefined)
      throw new DragonflyError(
        'FAILED_PRECONDITION',
        'the server has no TCP port: it has not started, or serves a unix socket',
      );
    return this.#port;
  }

  /** What a client dials. */
  get address(): string {
    if ('socketPath' in this.#address) return `unix:${this.#address.socketPath}`;
    return hostPort(this.#address.host, this.#port ?? this.#address.port);
  }

  /** Aborts when the server begins to stop, so that long streams end themselves. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  async #stop(): Promise<void> {
    this.#draining.abort(new DragonflyError('UNAVAILABLE', 'the server is shutting down'));
    this.health.setAllNotServing();
    await this.#listener?.[Symbol.asyncDispose]();
    const ended = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const deadlineMs = this.#options.limits?.drainDeadlineMs ?? limits.drainDeadlineMs;
    if (!(await withDeadline(ended, deadlineMs))) {
      for (const context of this.#running)
        context.abort(new DragonflyError('UNAVAILABLE', 'the server is shutting down'));
      this.#server.forceShutdown();
    }
    this.#endings?.[Symbol.dispose]();
    this.#bounds?.[Symbol.dispose]();
  }

  #call(called: Called, handler: AnyHandler): UntypedHandleCall {
    const { method } = called;
    const input = (call: AnyServerCall, context: CallContext): unknown =>
      method.requestStream ? this.#requests(call, method, context) : validated(method, call);
    const unaryAnswer = (call: AnyServerCall, callback: sendUnaryData<unknown>): void => {
      const work = async (context: CallContext): Promise<void> => {
        const response = await handler(input(call, context), context);
        context.accept();
        callback(null, response);
      };
      void this.#run(call, called, work, callback);
    };
    const streamAnswer = (call: AnyServerCall): void => {
      const stream = call as ServerWritableStream<unknown, unknown>;
      stream.on('error', () => undefined); // the stream of a caller that has disconnected
      const work = async (context: CallContext): Promise<void> => {
        const responses = handler(input(call, context), context) as AsyncIterable<unknown>;
        for await (const message of untilAborted(responses, context.signal)) {
          context.accept();
          await writeMessage(stream, message, context.signal);
        }
        stream.end();
      };
      void this.#run(call, called, work, (status) => stream.emit('error', status));
    };
    return (method.responseStream ? streamAnswer : unaryAnswer) as UntypedHandleCall;
  }

  async #run(
    call: AnyServerCall,
    { service, method, mayCall }: Called,
    work: (context: CallContext) => Promise<void>,
    fail: (status: StatusObject) => void,
  ): Promise<void> {
    const isLocalSocket = 'socketPath' in this.#address;
    const { identityRequired = false } = this.#options;
    const server = { draining: this.draining, isLocalSocket, identityRequired, header: this.#header() };
    const context = new CallContext(call, server);
    this.#running.add(context);
    const ended = this.#options.metrics?.begin(service, method);
    let code: number = grpcStatus.OK;
    try {
      if (!this.#rate.tryAcquire(1)) {
        throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many requests', { hint: 'Try again after a moment.' });
      }
      const certificate = context.isLocalSocket ? undefined : certificateOf(call);
      const identity = identityOf(certificate?.subjectaltname);
      await this.#recognize(context, service, { identity, isCertified: certificate !== undefined });
      if (mayCall) requireMay(context.caller, mayCall, method.name);
      // Clients of this implementation wait for the features before the first answer.
      if (context.callerHasSwarm) context.accept();
      await withTrace(`${service}/${method.name}`, context.metadata, () => work(context));
    } catch (cause) {
      const error = toDragonflyError(context.signal.aborted ? context.signal.reason : cause);
      const record = { method: method.name, peer: context.peer, code: error.code, reason: error.message };
      if (error.code === 'INTERNAL') this.#logger.error({ ...record, err: error }, 'call failed');
      else this.#logger.debug(record, 'call failed');
      const failure = statusFromError(error);
      code = failure.code;
      fail(failure);
    } finally {
      ended?.(code);
      this.#running.delete(context);
      context.abort(callEnded);
    }
  }

  async #recognize(
    context: CallContext,
    service: string,
    { identity, isCertified }: { readonly identity: MemberIdentity | undefined; readonly isCertified: boolean },
  ): Promise<void> {
    if (context.isLocalSocket) {
      context.caller = localUserOf(context.peer);
      return;
    }
    this.#requireCertificate(service, isCertified);
    const { recognize = recognizeByCertificate } = this.#options;
    const { metadata, peerHost: address } = context;
    context.caller = await recognize({ address, identity, metadata, onThisMachine: isOwnAddress(address) });
  }

  /** Where the port makes certificates optional, services require them here. */
  #requireCertificate(service: string, shown: boolean): void {
    const { tls, openServices } = this.#options;
    const demanded = openServices !== undefined && tls?.clientCertificates === 'optional';
    if (shown || !demanded || openServices.includes(service)) return;
    throw new DragonflyError('UNAUTHENTICATED', `${service} needs a certificate of this cluster`, {
      hint: 'Let the manager issue one: security.autoIssueCert and a join token.',
    });
  }

  async *#requests(
    call: AnyServerCall,
    method: MethodDefinition,
    context: CallContext,
  ): AsyncGenerator<unknown, void, undefined> {
    const stream = call as ServerReadableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>;
    for await (const message of readMessages(stream, context.signal)) {
      validate(method.requestType.$type, message);
      yield message;
    }
  }
}

interface Called {
  readonly service: string;
  readonly method: MethodDefinition;
  /** Undefined: everybody. */
  readonly mayCall: readonly CallerRole[] | undefined;
}

function certificateOf(call: AnyServerCall) {
  return call.getAuthContext().sslPeerCertificate;
}

function isLoopbackOnly(host: string): boolean {
  return host === 'localhost' || (isLoopbackAddress(host) && !['0.0.0.0', '::'].includes(host));
}

type AnyHandler = (request: unknown, context: CallContext) => unknown;

function validated(method: MethodDefinition, call: AnyServerCall): unknown {
  const { request } = call as ServerUnaryCall<unknown, unknown>;
  validate(method.requestType.$type, request);
  return request;
}

function bindError(cause: Error, target: string): DragonflyError {
  const taken = cause.message.includes('EADDRINUSE');
  return new DragonflyError(taken ? 'IN_USE' : 'INVALID_ARGUMENT', `cannot listen on ${target}: ${cause.message}`, {
    cause,
    hint: taken
      ? 'Stop the other program, or configure another port (0 picks a free one).'
      : 'Check the configured address.',
  });
}
