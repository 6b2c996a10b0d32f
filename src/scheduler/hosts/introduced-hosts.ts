/**
 * Hosts of which this scheduler hears before they have said a word to it. Daemons of the original announce themselves at their interval, five
 * minutes by default: until then a scheduler that takes the place of one of theirs would refuse their downloads, and ask no seed
 * peer. So what their schedulers have written down of them, and the seed peers that the manager lists, are hosts at once.
 *
 * Such a host is spoken for from the address it is said to have, and by nobody else; its first announcement takes its place, wherever
 * it comes from. One that never says a word is forgotten as one that fell silent.
 */

import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { hostId } from '../../core/ids.ts';
import { hostPort } from '../../core/net/host-port.ts';
import { isOwnAddress, plainAddress } from '../../core/net/own-address.ts';
import { onAbort, type Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Channels } from '../../rpc/channels.ts';
import { Host, type Host as HostMessage } from '../../../gen/common/v2/common.ts';
import type { Brain } from '../brain.ts';
import type { DynamicSettings } from '../dynamic-config.ts';
import { introductionMs, maxIntroducedSeeds } from '../limits.ts';
import { hostInfo, isSeed } from './host-registry.ts';
import type { ManagerRedis } from '../jobs/manager-redis.ts';
import { daemonKind } from './daemon-kind.ts';
import { hostDatabase, originalHosts } from './original-hosts.ts';

export interface Introduction {
  readonly host: HostMessage;
  readonly intervalMs: number | undefined;
}

export interface IntroducedHostsOptions {
  readonly brain: Brain;
  /** To daemons. */
  readonly channels: Channels;
  readonly settings: () => DynamicSettings;
  /** Without a certificate it is believed to be a seed. */
  readonly believesSeed: (host: HostMessage) => boolean;
  /** Where schedulers of the original have written down hosts. */
  readonly redis: ManagerRedis | undefined;
  readonly clusterId: number;
  readonly logger: Logger;
}

export class IntroducedHosts implements Closable {
  readonly #options: IntroducedHostsOptions;
  readonly #controller = new AbortController();
  readonly #work = new Set<Promise<void>>();

  constructor(options: IntroducedHostsOptions) {
    this.#options = options;
  }

  /** Seeds that the manager lists. Returns at once. */
  listed(seeds: DynamicSettings['seedPeers']): void {
    const found = seeds
      .filter(({ port }) => port > 0)
      .map((seed) => ({ host: listedHost(seed), intervalMs: undefined }));
    const work = this.#introduce(found, AbortSignal.timeout(introductionMs)).finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  /** What schedulers of the original have written down. Resolves when they are hosts, or it takes too long. Never rejects. */
  async recorded(): Promise<void> {
    const { redis, clusterId, logger } = this.#options;
    if (!redis) return;
    const deadline = AbortSignal.timeout(introductionMs);
    try {
      await using connection = await redis.tryOnce(hostDatabase, AbortSignal.any([deadline, this.#controller.signal]));
      using _late = onAbort(deadline, () => void connection[Symbol.asyncDispose]());
      const found = await originalHosts(connection, clusterId);
      await this.#introduce(found, deadline);
      if (found.length > 0) logger.info({ hosts: found.length }, 'schedulers of the original have known these hosts');
    } catch (error) {
      logger.warn(
        { reason: toDragonflyError(error).message },
        'hosts that schedulers of the original have written down cannot be read: each is known when it announces itself',
      );
    }
  }

  /** Resolves when each is a host, or is not to be one. */
  async #introduce(found: readonly Introduction[], deadline: AbortSignal): Promise<void> {
    const news = found.filter(({ host }) => !this.#options.brain.hosts.get(host.id));
    for (const one of news) if (!isSeed(one.host)) this.#add(one);
    const seeds = news.filter(({ host }) => isSeed(host)).slice(0, maxIntroducedSeeds);
    const signal = AbortSignal.any([deadline, this.#controller.signal]);
    await Promise.all(
      seeds.map(async (seed) => {
        // Others are sent to it first, so it has to be there. One of ours announces itself as soon as it finds this scheduler.
        const { channels } = this.#options;
        if ((await daemonKind(channels, hostPort(seed.host.ip, seed.host.port), signal)) === 'original')
          this.#add(seed);
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await Promise.all(this.#work);
  }

  #add({ host, intervalMs }: Introduction): void {
    const { brain, settings, believesSeed, logger } = this.#options;
    if (this.#controller.signal.aborted || brain.hosts.get(host.id)) return; // it has announced itself meanwhile
    const { peerLoadLimit, seedLoadLimit } = settings();
    const owner = { isCertified: false, address: isOwnAddress(host.ip) ? '' : plainAddress(host.ip) };
    const usesSeeds = brain.usesSeeds && believesSeed(host);
    const loadLimit = isSeed(host) ? seedLoadLimit : peerLoadLimit;
    try {
      brain.hosts.requireRoom(host, owner);
      brain.run(
        (swarm, nowMs) => swarm.announceHost(hostInfo(host, { owner, intervalMs, loadLimit, usesSeeds }), nowMs),
        () => {
          brain.hosts.announce(host, { unreachable: false, owner, introduced: true });
          brain.book.announced(host, { unreachable: false }, performance.now());
        },
      );
    } catch (error) {
      if (!(error instanceof DragonflyError)) throw error;
      logger.debug({ hostId: host.id, reason: toDragonflyError(error).message }, 'a host was not taken in');
    }
  }
}

function listedHost({
  hostname,
  ip,
  port,
  downloadPort,
  idc,
  location,
}: DynamicSettings['seedPeers'][number]): HostMessage {
  return Host.fromPartial({
    id: hostId(ip, hostname, true),
    type: 1,
    hostname,
    name: hostname,
    ip,
    port,
    downloadPort,
    network: { idc, location },
  });
}
