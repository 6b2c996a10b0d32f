/**
 * Which hosts without a certificate are believed to be seeds. Others are sent to a seed first, and what it reports
 * about content is taken as certain. So where certificates are preferred, a host without one is a seed only when the
 * manager lists it, and a peer like any other until then.
 */
import type { Host } from '../../../gen/common/v2/common.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { DynamicConfig } from '../dynamic-config.ts';
import { seedListAgeMs } from '../limits.ts';

export interface KnownSeedsOptions {
  /** True when certificates are preferred here. Otherwise every host is believed. */
  readonly proven: boolean;
  readonly dynamic: Pick<DynamicConfig, 'settings' | 'refresh'>;
  readonly logger: Logger;
}

export interface SeedOwner {
  readonly isCertified?: boolean;
  readonly clusterId?: number | undefined;
}

export class KnownSeeds {
  readonly #options: KnownSeedsOptions;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: KnownSeedsOptions) {
    this.#options = options;
  }

  /** @param owner who announces it. A certificate names the cluster of the seed; a seed of another cluster is a peer like any other here. */
  async has(host: Host, owner: SeedOwner = {}): Promise<boolean> {
    const { logger } = this.#options;
    if (owner.isCertified === true) return !this.#isOfOthers(owner.clusterId);
    if (this.believes(host)) return true;
    await this.#readAgain();
    if (this.#isListed(host)) return true;
    const { id, ip } = host;
    logger.warn(
      { hostId: id, ip },
      'a host calls itself a seed, shows no certificate, and the manager lists none there',
    );
    return false;
  }

  /** As far as is known without asking the manager. */
  believes(host: Host): boolean {
    return !this.#options.proven || this.#isListed(host);
  }

  #isOfOthers(clusterId = 0): boolean {
    const { seedPeers } = this.#options.dynamic.settings;
    const own = seedPeers.map((seed) => seed.clusterId).filter((id) => id !== 0);
    return clusterId !== 0 && own.length > 0 && !own.includes(clusterId);
  }

  #isListed({ hostname, ip }: Host): boolean {
    return this.#options.dynamic.settings.seedPeers.some((seed) => seed.hostname === hostname && seed.ip === ip);
  }

  /**
   * A missing seed may have been registered a moment ago. The list has a minimum age, so that a host that keeps calling itself a
   * seed does not burden the manager.
   */
  async #readAgain(): Promise<void> {
    if (performance.now() - this.#readAtMs < seedListAgeMs) return;
    this.#readAtMs = performance.now();
    await this.#options.dynamic.refresh();
  }
}
