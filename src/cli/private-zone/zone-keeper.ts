/**
 * Keeps the addresses of one name up to date: pods that the API server lists and that accept connections, which is
 * tried continuously. The API server reports a dead node late, while a failing connection shows it at once.
 */
import { once } from 'node:events';
import { connect, isIP, type BlockList } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import { sendUpdate, type DnsServer } from './dns-server.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import { Collection } from '../kubernetes/collection.ts';
import { isReady, podSchema, type Pod } from '../kubernetes/pods.ts';
import { chosenAddresses, matches, nodeSchema, type Selector } from './pods.ts';

export interface ZoneKeeperOptions {
  readonly api: KubernetesApi;
  readonly dns: DnsServer;
  readonly zone: string;
  readonly name: string;
  /** Empty for all. */
  readonly namespace: string;
  /** The networks that pods may be in; undefined for any. */
  readonly networks: BlockList | undefined;
  readonly selector: string;
  readonly nodeSelector: Selector;
  /** The port at which a chosen pod must accept connections. */
  readonly port: number;
  readonly max: number;
  readonly ttlSeconds: number;
  readonly logger: Logger;
}

const probeIntervalMs = 1_000;
const probeTimeoutMs = 1_000;
/** Consecutive failed connections after which a pod counts as gone. */
const maxProbeFailures = 2;
/** The records are rewritten at this interval, in case someone else has changed them. */
const renewMs = 60_000;
const probesAtOnce = 64;

export class ZoneKeeper {
  readonly #options: ZoneKeeperOptions;
  readonly #pods: Collection<Pod>;
  /** Used when only some nodes count. */
  readonly #nodes: Collection<z.output<typeof nodeSchema>['metadata']> | undefined;
  /** Consecutive failed connections, by address. */
  readonly #failures = new Map<string, number>();
  #written: readonly string[] | undefined;
  #writtenAtMs = -Infinity;
  #writeFailures = 0;
  #writeAgainAtMs = -Infinity;

  constructor(options: ZoneKeeperOptions) {
    this.#options = options;
    const { namespace, selector, nodeSelector, logger } = options;
    // Changes need no handler, because the pods are checked continuously anyway.
    const common = { onChange: () => undefined, logger };
    this.#pods = new Collection({
      ...common,
      path: namespace === '' ? '/api/v1/pods' : `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
      query: { labelSelector: selector },
      parse: (object) => podSchema.parse(object),
    });
    if (Object.keys(nodeSelector).length > 0)
      this.#nodes = new Collection({
        ...common,
        path: '/api/v1/nodes',
        parse: (object) => nodeSchema.parse(object).metadata,
      });
  }

  /** Runs until the signal aborts. The records stay, so that clients continue while this program restarts. */
  async run(signal: AbortSignal): Promise<void> {
    // While the API server is away, the known pods are still tried.
    const { api } = this.#options;
    const watching = [this.#pods, ...(this.#nodes ? [this.#nodes] : [])].map((one) => one.follow(api, signal));
    while (!signal.aborted) {
      await this.#look(signal);
      await delay(probeIntervalMs, undefined, { signal }).catch(() => undefined);
    }
    await Promise.all(watching);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { logger, max } = this.#options;
    try {
      if (!this.#pods.isListed || this.#nodes?.isListed === false) return;
      const nodes = this.#rightNodes();
      const ready = this.#pods
        .values()
        .filter((pod) => isReady(pod) && this.#mayBeAt(pod) && nodes?.has(pod.spec.nodeName) !== false);
      await this.#probe(ready.map(({ status }) => status.podIP));
      const there = ready.filter(({ status }) => (this.#failures.get(status.podIP) ?? 0) < maxProbeFailures);
      const proven = there.filter(({ status }) => this.#failures.has(status.podIP));
      await this.#write(chosenAddresses(proven, this.#written ?? [], max), signal);
    } catch (error) {
      if (!signal.aborted)
        logger.warn({ error: toDragonflyError(error).message }, 'the records could not be looked after');
    }
  }

  /** Undefined when all nodes count. */
  #rightNodes(): ReadonlySet<string> | undefined {
    const { nodeSelector } = this.#options;
    const right = this.#nodes?.values().filter(({ labels }) => matches(nodeSelector, labels));
    return right && new Set(right.map(({ name }) => name));
  }

  /** Anything that is not an address would make every update fail. */
  #mayBeAt({ status: { podIP } }: Pod): boolean {
    const version = isIP(podIP);
    return version !== 0 && this.#options.networks?.check(podIP, version === 6 ? 'ipv6' : 'ipv4') !== false;
  }

  async #probe(addresses: readonly string[]): Promise<void> {
    const wanted = new Set(addresses);
    for (const address of this.#failures.keys()) if (!wanted.has(address)) this.#failures.delete(address);
    const left = [...wanted];
    const work = async (): Promise<void> => {
      for (let address = left.pop(); address !== undefined; address = left.pop()) {
        const takes = await takesConnections(address, this.#options.port);
        const failures = this.#failures.get(address);
        if (takes) this.#failures.set(address, 0);
        // A pod that has never accepted a connection is not ready yet.
        else if (failures !== undefined) this.#failures.set(address, failures + 1);
      }
    };
    await Promise.all(Array.from({ length: probesAtOnce }, work));
  }

  async #write(addresses: readonly string[], signal: AbortSignal): Promise<void> {
    const { dns, zone, name, ttlSeconds, logger } = this.#options;
    const nowMs = performance.now();
    const isNews = this.#written === undefined || addresses.join() !== this.#written.join();
    if (!isNews && nowMs - this.#writtenAtMs < renewMs) return;
    if (nowMs < this.#writeAgainAtMs) return;
    try {
      await sendUpdate(dns, { zone, name, ttlSeconds, addresses }, signal);
    } catch (error) {
      this.#writeFailures += 1;
      this.#writeAgainAtMs = performance.now() + backOffMs(this.#writeFailures);
      throw error;
    }
    this.#writeFailures = 0;
    this.#written = addresses;
    this.#writtenAtMs = performance.now();
    if (isNews) logger.info({ name, addresses }, 'the name has other addresses');
  }
}

async function takesConnections(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(probeTimeoutMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
