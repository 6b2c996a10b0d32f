/** Metrics of a dfdaemon, under the names that existing dashboards read. */
import { Counter, Gauge, Histogram, type Registry } from '../core/metrics.ts';
import { version } from '../core/version.ts';
import type { HostIdentity } from './host-info.ts';
import type { Receipt } from './task/open-task.ts';

export interface DaemonMetrics {
  readonly uploadTraffic: Counter;
  count(receipt: Receipt): void;
}

export function createDaemonMetrics(registry: Registry, identity: HostIdentity): DaemonMetrics {
  const registers = [registry];
  const name = (suffix: string): string => `dragonfly_dfdaemon_${suffix}`;
  const tasks = new Counter({ name: name('peer_task_total'), help: 'Downloads that have finished.', registers });
  const cacheHits = new Counter({
    name: name('peer_task_cache_hit_total'),
    help: 'Downloads answered from the local store.',
    registers,
  });
  const traffic = new Counter({
    name: name('download_traffic'),
    help: 'Bytes of finished downloads by where they came from.',
    labelNames: ['type'] as const,
    registers,
  });
  const duration = new Histogram({
    name: name('download_task_duration_milliseconds'),
    help: 'Duration of finished downloads.',
    buckets: [10, 50, 100, 500, 1000, 5000, 10_000, 60_000, 300_000, 1_800_000],
    registers,
  });
  const uploadTraffic = new Counter({ name: name('upload_traffic'), help: 'Bytes given to other peers.', registers });
  new Gauge({
    name: name('version'),
    help: 'Version of this service.',
    labelNames: ['version', 'seed_peer'] as const,
    registers,
  }).set({ version, seed_peer: String(identity.isSeed) }, 1);
  return {
    uploadTraffic,
    count: (receipt) => {
      tasks.inc();
      duration.observe(receipt.costMs);
      const remote = receipt.parents.reduce((sum, parent) => sum + parent.bytes, 0);
      traffic.inc({ type: 'back_to_source' }, receipt.bytesFromOrigin);
      traffic.inc({ type: 'remote_peer' }, remote);
      traffic.inc({ type: 'local_peer' }, receipt.bytesFromLocal);
      if (receipt.bytesFromOrigin === 0 && remote === 0) cacheHits.inc();
    },
  };
}
