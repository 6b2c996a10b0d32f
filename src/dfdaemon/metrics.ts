/** Metrics of a dfdaemon, under the names that existing dashboards read. */
import type { DragonflyError } from '../core/errors.ts';
import { Counter, Gauge, Histogram, type Registry } from '../core/metrics.ts';
import { version } from '../core/version.ts';
import type { HostIdentity } from './cluster/host-info.ts';
import { ClientMetrics } from './client-metrics.ts';
import type { DownloadRequest, Receipt } from './task/open-task.ts';

/** Parents that get a label of their own. Bytes of any further parent are counted under `others`, so that a large swarm cannot flood a dashboard. */
const maxParentLabels = 200;

/** Content received from nodes and from origins, sent to nodes, and handed on by the proxy. */
export type BufferKind = 'received' | 'origin' | 'sent' | 'proxy';

interface BufferHolder {
  readonly bufferedBytes: number;
}

export interface DaemonMetrics {
  /** The same values under the names of the Rust client, for its dashboards; some exist under those names only. */
  readonly client: ClientMetrics;
  count(receipt: Receipt, request: DownloadRequest): void;
  cacheHit(): void;
  failed(error: DragonflyError, request: DownloadRequest): void;
  uploaded(bytes: number): void;
  /** Exports the number of running downloads. */
  watchRunning(running: () => number): void;
  /** Exports the memory used by bytes in transit, and its limits. */
  watchBuffers(
    limitBytes: Readonly<Record<BufferKind, number>>,
    holders: Readonly<Record<BufferKind, BufferHolder>>,
  ): void;
}

export function createDaemonMetrics(registry: Registry, identity: HostIdentity): DaemonMetrics {
  const registers = [registry];
  const name = (suffix: string): string => `dragonfly_dfdaemon_${suffix}`;
  const tasks = new Counter({ name: name('peer_task_total'), help: 'Downloads that have finished.', registers });
  const failures = new Counter({
    name: name('peer_task_failed_total'),
    help: 'Downloads that have failed: at the source, before they could begin, or with the peers.',
    labelNames: ['type'] as const,
    registers,
  });
  const pieces = new Counter({ name: name('piece_task_total'), help: 'Pieces got from other peers.', registers });
  const pieceFailures = new Counter({
    name: name('piece_task_failed_total'),
    help: 'Requests for a piece, to a peer or the source, that had to be repeated.',
    registers,
  });
  const seed = identity.isSeed ? seedMetrics(registry) : undefined;
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
  const parentTraffic = new Counter({
    name: name('parent_traffic'),
    help: 'Bytes of finished downloads by the host that gave them, and whether it is in the same IDC.',
    labelNames: ['parent', 'zone'] as const,
    registers,
  });
  const buffers = new Gauge({
    name: name('buffer_memory_bytes'),
    help: 'Memory of content on its way.',
    labelNames: ['use'] as const,
    registers,
  });
  const bufferLimit = new Gauge({
    name: name('buffer_memory_limit_bytes'),
    help: 'The most memory content on its way may take; what finds none waits.',
    labelNames: ['use'] as const,
    registers,
  });
  const parents = new Set<string>();
  const labelOf = (parent: string): string => {
    if (parents.size < maxParentLabels) parents.add(parent);
    return parents.has(parent) ? parent : 'others';
  };
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
  const client = new ClientMetrics(registry);
  return {
    client,
    uploaded: (bytes) => {
      uploadTraffic.inc(bytes);
      client.uploaded(bytes);
    },
    count: (receipt, request) => {
      client.downloaded(request, receipt);
      tasks.inc();
      pieces.inc(receipt.parents.reduce((sum, parent) => sum + parent.pieces, 0));
      pieceFailures.inc(receipt.retries);
      seed?.count(receipt);
      duration.observe(receipt.costMs);
      const remote = receipt.parents.reduce((sum, parent) => sum + parent.bytes, 0);
      traffic.inc({ type: 'back_to_source' }, receipt.bytesFromOrigin);
      traffic.inc({ type: 'remote_peer' }, remote);
      traffic.inc({ type: 'local_peer' }, receipt.bytesFromLocal);
      for (const { ip, idc, bytes } of receipt.parents)
        parentTraffic.inc({ parent: labelOf(ip), zone: zoneOf(idc, identity.idc) }, bytes);
    },
    cacheHit: () => cacheHits.inc(),
    failed: (error, request) => {
      client.failed(request);
      failures.inc({ type: failureType(error) });
      seed?.failures.inc();
    },
    watchRunning: (running) => {
      const names = ['concurrent_download_task_total', ...(seed ? ['seed_peer_concurrent_download_total'] : [])];
      for (const each of names) {
        new Gauge({
          name: name(each),
          help: 'Downloads that run now.',
          registers,
          collect() {
            this.set(running());
          },
        });
      }
    },
    watchBuffers: (limitBytes, holders) => {
      for (const [use, bytes] of Object.entries(limitBytes)) bufferLimit.set({ use }, bytes);
      Object.assign(buffers, {
        collect: () => {
          for (const [use, { bufferedBytes }] of Object.entries(holders)) buffers.set({ use }, bufferedBytes);
        },
      });
    },
  };
}

/** The metrics that the original's dashboards show for a seed peer. */
function seedMetrics(registry: Registry) {
  const registers = [registry];
  const name = (suffix: string): string => `dragonfly_dfdaemon_seed_peer_download_${suffix}`;
  const total = new Counter({
    name: name('total'),
    help: 'Downloads of this seed peer that have finished.',
    registers,
  });
  const failures = new Counter({
    name: name('failure_total'),
    help: 'Downloads of this seed peer that have failed.',
    registers,
  });
  const traffic = new Counter({
    name: name('traffic'),
    help: 'Bytes of this seed peer by where they came from.',
    labelNames: ['type'] as const,
    registers,
  });
  const count = ({ bytesFromOrigin, parents }: Receipt): void => {
    total.inc();
    traffic.inc({ type: 'back_to_source' }, bytesFromOrigin);
    traffic.inc(
      { type: 'p2p' },
      parents.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  };
  return { failures, count };
}

function failureType({ code }: DragonflyError): 'source' | 'init' | 'p2p' {
  if (code.startsWith('SOURCE_')) return 'source';
  return code === 'PERMISSION_DENIED' || code === 'INVALID_ARGUMENT' || code === 'UNSUPPORTED' ? 'init' : 'p2p';
}

function zoneOf(idc: string, own: string): 'same' | 'other' | 'unknown' {
  if (idc === '' || own === '') return 'unknown';
  return idc === own ? 'same' : 'other';
}
