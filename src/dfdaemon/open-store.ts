/** Opens a daemon's store, together with what keeps it within its limits and intact. */
import type { Owned } from '../core/process/lifecycle.ts';
import type { Logger } from '../core/process/logger.ts';
import type { DfdaemonConfig } from './config.ts';
import { Collector } from './storage/collector.ts';
import { Scrubber } from './storage/scrubber.ts';
import { TaskStore } from './storage/task-store.ts';

export interface StoreParts {
  readonly store: TaskStore;
  readonly collector: Collector;
}

export async function openStore(config: DfdaemonConfig, owned: Owned, logger: Logger): Promise<StoreParts> {
  const { dataDir, keepStorage, gcInterval, storage } = config;
  const store = owned.add('store', await TaskStore.open({ directory: dataDir, keepStorage, logger }));
  const policy = {
    intervalMs: gcInterval,
    ttlMs: storage.taskExpireTime,
    quotaBytes: storage.diskGCThreshold,
    highPercent: storage.diskGCThresholdPercent,
    marginPercent: storage.diskGCMarginPercent,
  };
  return { store, collector: owned.add('collector', Collector.create({ store, logger, policy })) };
}

export function startScrubber(
  { storage }: DfdaemonConfig,
  owned: Owned,
  options: { readonly store: TaskStore; readonly busy: () => boolean; readonly logger: Logger },
): void {
  owned.add('scrubber', new Scrubber({ ...options, rateBytesPerSec: storage.scrubRateLimit })).start();
}
