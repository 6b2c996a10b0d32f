/** The manager as seen by schedulers and daemons: several addresses, tried in order, the last successful one first. */
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import { silentLogger, type Logger } from '../core/process/logger.ts';
import { backOffMs } from './back-off.ts';
import { firstAvailable } from './first-available.ts';
import type { Channels } from './channels.ts';
import { createClient, type CallOptions, type RpcClient } from './client.ts';
import {
  ManagerDefinition,
  type GetSchedulerRequest,
  type KeepAliveRequest,
  type ListApplicationsRequest,
  type ListApplicationsResponse,
  type ListSchedulersRequest,
  type ListSchedulersResponse,
  type Scheduler,
  type SeedPeer,
  type UpdateSchedulerRequest,
  type UpdateSeedPeerRequest,
} from '../../gen/manager/v2/manager.ts';
import type { ServiceDefinition } from './definition.ts';
import { ManagerWatchDefinition, type Change, type WatchChangesRequest } from '../../gen/manager/v2/watch.ts';

export interface KeepAliveOptions {
  /** Time between two messages; the original's default is 5 s. */
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  /** Called before every (re)connection to register again: the manager may have forgotten or replaced us. */
  readonly beforeConnect?: () => Promise<void>;
}

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** Also called, without a change, after every reconnection, since changes may have been missed. */
  readonly onChange: (change?: Change) => void;
}

export class ManagerClient {
  readonly #channels: Channels;
  readonly #logger: Logger;
  /** The most recently successful address comes first. */
  #addresses: readonly string[];
  readonly #clients: ReadonlyMap<string, RpcClient<typeof ManagerDefinition>>;

  /** @param addresses `host:port` each, at least one. */
  constructor(channels: Channels, addresses: readonly string[], logger: Logger = silentLogger) {
    if (addresses.length === 0) throw new DragonflyError('CONFIG_INVALID', 'no manager address is given');
    this.#channels = channels;
    this.#logger = logger;
    this.#addresses = [...addresses];
    this.#clients = new Map(addresses.map((address) => [address, createClient(ManagerDefinition, channels, address)]));
  }

  listSchedulers(request: ListSchedulersRequest, options: CallOptions = {}): Promise<ListSchedulersResponse> {
    return this.#call((client) => client.listSchedulers(request, options), options.signal);
  }

  getScheduler(request: GetSchedulerRequest, options: CallOptions = {}): Promise<Scheduler> {
    return this.#call((client) => client.getScheduler(request, options), options.signal);
  }

  updateScheduler(request: UpdateSchedulerRequest, options: CallOptions = {}): Promise<Scheduler> {
    return this.#call((client) => client.updateScheduler(request, options), options.signal);
  }

  updateSeedPeer(request: UpdateSeedPeerRequest, options: CallOptions = {}): Promise<SeedPeer> {
    return this.#call((client) => client.updateSeedPeer(request, options), options.signal);
  }

  listApplications(request: ListApplicationsRequest, options: CallOptions = {}): Promise<ListApplicationsResponse> {
    return this.#call((client) => client.listApplications(request, options), options.signal);
  }

  /** Calls another service of the manager, at the first address that answers. */
  with<S extends ServiceDefinition, T>(
    service: S,
    work: (client: RpcClient<S>) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return this.#call((_client, address) => work(createClient(service, this.#channels, address)), signal);
  }

  /** Keeps this member active at the manager until the signal aborts; always reconnects. Never throws. */
  async keepAlive(request: KeepAliveRequest, options: KeepAliveOptions): Promise<void> {
    const { intervalMs, signal, beforeConnect } = options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await beforeConnect?.();
        await this.#call((client) => {
          const beats = heartbeats(request, intervalMs, signal, () => (failures = 0));
          return client.keepAlive(beats, { signal, timeoutMs: undefined });
        }, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#logger.warn({ reason: toDragonflyError(error).message }, 'the manager does not answer');
      }
      failures += 1;
      await delay(backOffMs(failures), undefined, { signal }).catch(() => undefined);
    }
  }

  /**
   * Listens for changes until the signal aborts; always reconnects. Never throws. Resolves early when the manager does
   * not support this; the caller then has to poll.
   */
  async watchChanges(request: WatchChangesRequest, { signal, onChange }: WatchOptions): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        await this.#call(async (_client, address) => {
          const watch = createClient(ManagerWatchDefinition, this.#channels, address);
          const changes = watch.watchChanges(request, { signal, onMetadata: () => onChange() });
          for await (const change of changes) {
            failures = 0;
            onChange(change);
          }
        }, signal);
      } catch (error) {
        if (signal.aborted || toDragonflyError(error).code === 'UNSUPPORTED') return;
      }
      await delay(backOffMs(failures + 1), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Calls the first address that answers; errors other than being unavailable are final. */
  async #call<T>(
    work: (client: RpcClient<typeof ManagerDefinition>, address: string) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const known = this.#addresses.flatMap((address) => {
      const client = this.#clients.get(address);
      return client ? [{ address, client }] : [];
    });
    const attempt = async ({ address, client }: (typeof known)[number]): Promise<T> => {
      await this.#channels.ready(address, { signal });
      this.#prefer(address);
      return work(client, address);
    };
    const noneLeft = (cause: unknown): DragonflyError =>
      new DragonflyError('UNAVAILABLE', `no manager answers: ${toDragonflyError(cause).message}`, {
        cause,
        hint: 'Check that the manager runs and that its gRPC address in the configuration is right.',
      });
    return firstAvailable(known, attempt, { signal, noneLeft });
  }

  #prefer(address: string): void {
    if (this.#addresses[0] === address) return;
    this.#addresses = [address, ...this.#addresses.filter((other) => other !== address)];
  }
}

async function* heartbeats(
  request: KeepAliveRequest,
  intervalMs: number,
  signal: AbortSignal,
  onBeat: () => void,
): AsyncGenerator<KeepAliveRequest, void, undefined> {
  yield request;
  while (!signal.aborted) {
    await delay(intervalMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    onBeat(); // the stream has lasted a whole interval
    yield request;
  }
}
