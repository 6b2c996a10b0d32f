/** This scheduler's membership at the manager: registration, keep-alive, and notices of changes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Metadata } from '@grpc/grpc-js';
import { toDragonflyError } from '../core/errors.ts';
import type { Closable } from '../core/process/lifecycle.ts';
import type { Logger } from '../core/process/logger.ts';
import { announcesSwarm } from '../rpc/features.ts';
import { SourceType, type Application, type Scheduler } from '../../gen/manager/v2/manager.ts';
import type { StruckOff } from '../../gen/manager/v2/watch.ts';
import type { ManagerClient } from '../rpc/manager-client.ts';
import { managerTimeoutMs } from './limits.ts';

const activePolls = 50;
const activePollMs = 50;

export interface SchedulerIdentity {
  readonly hostname: string;
  readonly ip: string;
  readonly port: number;
  readonly idc: string;
  readonly location: string;
  readonly clusterId: number;
}

export interface ManagerLinkOptions {
  readonly client: ManagerClient;
  readonly keepAliveMs: number;
  readonly refreshMs: number;
  readonly logger: Logger;
  /** Called when a certificate may have been revoked. */
  readonly onRevocation: () => void;
}

/** Starts to serve the jobs that a manager of the original queues elsewhere. Returns false until it can; then it calls `onServing`. */
export type ServesJobs = (identity: SchedulerIdentity, onServing: () => void) => boolean;

export interface ManagerNews {
  /** Called when something may have changed at the manager. */
  readonly onChange: () => Promise<void>;
  readonly servesJobs: ServesJobs;
  /** Called when another scheduler of the cluster has found that a host lies. */
  readonly onStruckOff: (host: StruckOff) => void;
}

export class ManagerLink implements Closable {
  readonly #options: ManagerLinkOptions;
  readonly #controller = new AbortController();
  #identity: SchedulerIdentity | undefined;
  #servesJobs: ServesJobs = () => false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: ManagerLinkOptions) {
    this.#options = options;
  }

  /** Resolves when the manager lists this scheduler as active, or when the first attempt has failed. Never throws. */
  async start(identity: SchedulerIdentity, { onChange, servesJobs, onStruckOff }: ManagerNews): Promise<void> {
    this.#identity = identity;
    this.#servesJobs = servesJobs;
    const { client, keepAliveMs, refreshMs, onRevocation } = this.#options;
    const { signal } = this.#controller;
    const registered = Promise.withResolvers<boolean>();
    const register = async (): Promise<void> => {
      try {
        await this.#register(identity);
        registered.resolve(true);
        await onChange();
      } catch (error) {
        registered.resolve(false);
        throw error;
      }
    };
    const keepAlive = client.keepAlive(
      { sourceType: SourceType.SCHEDULER_SOURCE, ...who(identity), clusterId: identity.clusterId },
      { intervalMs: keepAliveMs, signal, beforeConnect: register },
    );
    const watch = client.watchChanges(
      { sourceType: SourceType.SCHEDULER_SOURCE, ...who(identity), schedulerClusterId: identity.clusterId },
      {
        signal,
        onChange: (change) => {
          if (change?.struckOff) onStruckOff(change.struckOff);
          else if (change?.topic === 'certificate') onRevocation();
          else void onChange();
        },
      },
    );
    this.#work = Promise.all([keepAlive, watch, every(refreshMs, signal, onChange)]);
    if (await registered.promise) await this.#untilActive();
  }

  /** Reads the scheduler's own row with its cluster, and the applications. */
  async read(): Promise<{ scheduler: Scheduler; applications: readonly Application[] }> {
    const { client } = this.#options;
    const identity = this.#identity;
    if (!identity) throw new Error('the scheduler has no address yet');
    const options = { signal: this.#controller.signal, timeoutMs: managerTimeoutMs };
    const caller = { sourceType: SourceType.SCHEDULER_SOURCE, ...who(identity) };
    const scheduler = await client.getScheduler({ ...caller, schedulerClusterId: identity.clusterId }, options);
    const applications = await client.listApplications(caller, options).then(
      (answer) => answer.applications,
      (error: unknown) => {
        const { code } = toDragonflyError(error);
        if (code === 'NOT_FOUND' || code === 'UNSUPPORTED') return []; // managers say in this way that there are none
        throw error;
      },
    );
    return { scheduler, applications };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#work;
  }

  /** The first keep-alive makes this scheduler active, so that daemons that start now find it. Gives up after a while without an answer. */
  async #untilActive(): Promise<void> {
    const { signal } = this.#controller;
    for (let attempt = 0; attempt < activePolls && !signal.aborted; attempt += 1) {
      const state = await this.read().then(
        ({ scheduler }) => scheduler.state,
        () => '',
      );
      if (state === 'active') return;
      await delay(activePollMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #register(identity: SchedulerIdentity): Promise<void> {
    const { client, keepAliveMs, logger } = this.#options;
    const { idc, location, clusterId, port } = identity;
    const options = { signal: this.#controller.signal, timeoutMs: managerTimeoutMs };
    await client.updateScheduler(
      {
        sourceType: SourceType.SCHEDULER_SOURCE,
        ...who(identity),
        port,
        schedulerClusterId: clusterId,
        ...(idc === '' ? {} : { idc }),
        ...(location === '' ? {} : { location }),
        features: (await this.#preheats(identity)) ? ['schedule', 'preheat'] : ['schedule'],
        config: Buffer.from(JSON.stringify({ manager_keep_alive_interval: keepAliveMs * 1e6 })),
      },
      options,
    );
    logger.info({ clusterId, ip: identity.ip, port }, 'registered at the manager');
  }

  /** True when this scheduler can do the preheats that the manager gives it. */
  async #preheats(identity: SchedulerIdentity): Promise<boolean> {
    if (await this.#managerPreheats(identity)) return true;
    return this.#servesJobs(identity, () => {
      this.#register(identity).catch((error: unknown) =>
        this.#options.logger.warn({ reason: toDragonflyError(error).message }, 'the manager was not told of preheats'),
      );
    });
  }

  /** True when the manager does preheats by itself, as those of this implementation do: it names its extensions in every answer. */
  async #managerPreheats(identity: SchedulerIdentity): Promise<boolean> {
    let ours = false;
    const request = {
      sourceType: SourceType.SCHEDULER_SOURCE,
      ...who(identity),
      schedulerClusterId: identity.clusterId,
    };
    const onMetadata = (metadata: Metadata): void => void (ours = announcesSwarm(metadata));
    const options = { signal: this.#controller.signal, timeoutMs: managerTimeoutMs, onMetadata };
    await this.#options.client.getScheduler(request, options).catch(() => undefined); // it is not known there yet
    return ours;
  }
}

function who({ hostname, ip }: SchedulerIdentity): { hostname: string; ip: string } {
  return { hostname, ip };
}

async function every(intervalMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await delay(intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (!signal.aborted) await work();
  }
}
