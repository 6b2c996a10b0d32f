/**
 * One connection per address, shared by all calls to it.
 *
 * Addresses: `host:port`, `[v6]:port`, `unix:/path`. Proxies from the environment never apply: cluster traffic is direct.
 */
import { credentials, Client, connectivityState, type ChannelCredentials, type Metadata } from '@grpc/grpc-js';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import { onAbort, type Closable } from '../core/process/lifecycle.ts';
import { AnswerPace } from './answer-pace.ts';
import { controlProofHeader, type ControlKey } from './control-key.ts';
import * as limits from './limits.ts';
import type { MemberRole } from './server/caller.ts';
import { serverIdentityCheck, type ClientTls } from './tls.ts';

export interface ChannelOptions {
  readonly tls?: ClientTls | undefined;
  readonly keepAliveMs?: number;
  readonly keepAliveTimeoutMs?: number;
  readonly maxResponseBytes?: number;
  /** Proves the identity of this service in every call. */
  readonly controlKey?: ControlKey | undefined;
  /** Called with the first metadata of every answer. */
  readonly onMetadata?: ((address: string, metadata: Metadata) => void) | undefined;
}

export interface ReadyOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** One connection, shared by calls. */
export interface Channel {
  readonly client: Client;
  /** Aborts when the connection is closed from this side; the library itself would let running calls go on. */
  readonly closed: AbortSignal;
}

interface OpenChannel extends Channel {
  readonly controller: AbortController;
}

export class Channels implements Closable {
  /** Answer times of all servers behind these connections. */
  readonly pace = new AnswerPace();
  readonly #options: ChannelOptions;
  /** By last use, oldest first. */
  readonly #channels = new Map<string, OpenChannel>();
  /** What is served at an address, where that is known. */
  readonly #roles = new Map<string, MemberRole>();
  /** Connections with the previous certificate, kept for running calls. */
  #outdated: OpenChannel[] = [];
  #closed = false;

  constructor(options: ChannelOptions = {}) {
    this.#options = options;
    options.tls?.onRenewed?.(() => this.#renew());
  }

  /** Metadata sent with every call to the address. */
  metadataFor(address: string): Readonly<Record<string, string>> {
    const { controlKey } = this.#options;
    return controlKey ? { [controlProofHeader]: controlKey.proofFor(address) } : {};
  }

  /** Refuses a server at this address whose certificate names another role. */
  expect(address: string, role: MemberRole): void {
    this.#roles.delete(address);
    this.#roles.set(address, role);
    const [oldest] = this.#roles.keys();
    if (this.#roles.size > limits.maxChannels && oldest !== undefined) this.#roles.delete(oldest);
  }

  heard(address: string, metadata: Metadata): void {
    this.#options.onMetadata?.(address, metadata);
  }

  get(address: string): Channel {
    if (this.#closed) throw new DragonflyError('CANCELLED', 'the connections are closed');
    const channel = this.#channels.get(address) ?? this.#open(address);
    this.#channels.delete(address);
    this.#channels.set(address, channel);
    return channel;
  }

  /**
   * Connects if necessary. Throws UNAVAILABLE as soon as that fails, at the latest after the timeout; a first call to a
   * dead address would otherwise wait for its own, longer deadline.
   */
  async ready(address: string, { timeoutMs = limits.connectTimeoutMs, signal }: ReadyOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    // A failed channel waits before it reconnects; a new one connects at once.
    if (this.get(address).client.getChannel().getConnectivityState(false) === connectivityState.TRANSIENT_FAILURE) {
      this.drop(address);
    }
    const channel = this.get(address).client.getChannel();
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return;
      if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) {
        throw new DragonflyError('UNAVAILABLE', `${address} refuses connections or cannot be reached`);
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      using _listening = onAbort(signal, () => reject(toDragonflyError(signal?.reason)));
      channel.watchConnectivityState(state, deadline, (error) => {
        if (!error) return resolve();
        reject(new DragonflyError('UNAVAILABLE', `${address} does not answer within ${timeoutMs} ms`));
      });
      await promise;
    }
  }

  /** Ends the connection; running calls on it fail. The next call opens a new one. */
  drop(address: string): void {
    const channel = this.#channels.get(address);
    if (!channel) return;
    this.#channels.delete(address);
    end(channel, `the connection to ${address} was closed`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const address of this.#channels.keys()) this.drop(address);
    for (const channel of this.#outdated) end(channel, 'the connections are closed');
    return Promise.resolve();
  }

  /** The next call connects with the new certificate. Running calls continue until the following renewal. */
  #renew(): void {
    for (const channel of this.#outdated) end(channel, 'its certificate is outdated');
    this.#outdated = [...this.#channels.values()];
    this.#channels.clear();
    for (const { client } of this.#outdated) client.close();
  }

  #open(address: string): OpenChannel {
    this.#makeRoom();
    const { tls, keepAliveMs, keepAliveTimeoutMs, maxResponseBytes } = this.#options;
    const controller = new AbortController();
    const client = new Client(
      address,
      channelCredentials(address.startsWith('unix:') ? undefined : tls, this.#roles.get(address)),
      {
        'grpc.enable_http_proxy': 0,
        'grpc.max_receive_message_length': maxResponseBytes ?? limits.maxResponseBytes,
        'grpc.max_send_message_length': -1,
        'grpc.max_metadata_size': limits.maxMetadataBytes,
        'grpc.keepalive_time_ms': keepAliveMs ?? limits.clientKeepAliveMs,
        'grpc.keepalive_timeout_ms': keepAliveTimeoutMs ?? limits.clientKeepAliveTimeoutMs,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 5_000,
        'grpc.enable_retries': 0, // only the caller knows whether a call may be repeated
        'grpc.use_local_subchannel_pool': 1,
        ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName }),
      },
    );
    const channel = { client, closed: controller.signal, controller };
    this.#channels.set(address, channel);
    return channel;
  }

  /** Beyond the limit the oldest unconnected channel is closed, else the oldest. */
  #makeRoom(): void {
    if (this.#channels.size < limits.maxChannels) return;
    const [oldest] = this.#channels.keys();
    const idle = [...this.#channels].find(
      ([, { client }]) => client.getChannel().getConnectivityState(false) !== connectivityState.READY,
    );
    const victim = idle?.[0] ?? oldest;
    if (victim !== undefined) this.drop(victim);
  }
}

function end({ controller, client }: OpenChannel, why: string): void {
  controller.abort(new DragonflyError('CANCELLED', why));
  client.close();
}

function channelCredentials(tls: ClientTls | undefined, role: MemberRole | undefined): ChannelCredentials {
  if (!tls) return credentials.createInsecure();
  const checkServerIdentity = serverIdentityCheck(tls, role);
  return credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null, { checkServerIdentity });
}
