/**
 * Which hosts are believed to be seeds though they show no certificate. Others are sent to a seed first, and what it tells of content is certain: where
 * certificates are preferred, one without is a seed only when the manager lists it, and a peer like any other until then.
 */
import type { Host } from '../../../gen/common/v2/common.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { DynamicConfig } from '../dynamic-config.ts';
import { seedListAgeMs } from '../limits.ts';

export interface KnownSeedsOptions {
  /** Certificates are preferred here. Otherwise everybody is believed. */
  readonly proven: boolean;
  readonly dynamic: Pick<DynamicConfig, 'settings' | 'refresh'>;
  readonly logger: Logger;
}

export class KnownSeeds {
  readonly #options: KnownSeedsOptions;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: KnownSeedsOptions) {
    this.#options = options;
  }

  async has(host: Host): Promise<boolean> {
    const { proven, logger } = this.#options;
    if (!proven || this.#isListed(host)) return true;
    await this.#readAgain();
    if (this.#isListed(host)) return true;
    const { id, ip } = host;
    logger.warn(
      { hostId: id, ip },
      'a host calls itself a seed, shows no certificate, and the manager lists none there',
    );
    return false;
  }

  #isListed({ hostname, ip }: Host): boolean {
    return this.#options.dynamic.settings.seedPeers.some((seed) => seed.hostname === hostname && seed.ip === ip);
  }

  /** It may have been registered a moment ago. Whoever calls himself a seed all the time does not make work for the manager. */
  async #readAgain(): Promise<void> {
    if (performance.now() - this.#readAtMs < seedListAgeMs) return;
    this.#readAtMs = performance.now();
    await this.#options.dynamic.refresh();
  }
}
