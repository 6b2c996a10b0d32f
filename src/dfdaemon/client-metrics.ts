/**
 * The daemon's metrics under the names that the original's Rust client uses (`dragonfly_client_…`), so that the
 * dashboards made for it work. The labels are that client's own: `type` 0 is a standard task, and sizes are levels.
 */
import { statfsSync } from 'node:fs';
import { Counter, exponentialBuckets, Gauge, Histogram, type Registry } from '../core/metrics.ts';
import { taskSizeLevel } from '../core/task-size-level.ts';
import { version } from '../core/version.ts';
import type { DownloadRequest, Receipt } from './task/open-task.ts';

/** Callers choose tags and applications freely; values beyond this number are counted under `others`. */
const maxWords = 200;

const prefix = 'dragonfly_client_';
const standardTask = '0';

type TaskLabel = 'type' | 'tag' | 'app' | 'priority';

/** The counters of attempts and failures of one operation. */
interface Pair<L extends string> {
  readonly total: Counter<L>;
  readonly failures: Counter<L>;
}

export class ClientMetrics {
  readonly #registry: Registry;
  readonly #tasks: Pair<TaskLabel>;
  readonly #prefetches: Pair<TaskLabel>;
  readonly #requests: Pair<'scheme' | 'method'>;
  readonly #proxied: Pair<never>;
  readonly #proxiedByPeers: Counter;
  readonly #traffic: Counter<'type'>;
  readonly #uploaded: Counter;
  readonly #duration: Histogram<'task_type' | 'task_size_level'>;
  readonly #requestDuration: Histogram<'scheme' | 'method'>;
  readonly #words = new Set<string>();

  constructor(registry: Registry) {
    this.#registry = registry;
    const registers = [registry];
    const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> =>
      new Counter({ name: prefix + name, help, labelNames, registers });
    const pair = <L extends string>(name: string, what: string, labelNames: readonly L[] = []): Pair<L> => ({
      total: counter(`${name}_total`, `${what}.`, labelNames),
      failures: counter(`${name}_failure_total`, `${what} that failed.`, labelNames),
    });
    const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> =>
      new Histogram({ name: prefix + name, help, labelNames, buckets: exponentialBuckets(1, 2, 24), registers });
    const ofTask = ['type', 'tag', 'app', 'priority'] as const;
    const ofRequest = ['scheme', 'method'] as const;
    this.#tasks = pair('download_task', 'Downloads', ofTask);
    this.#prefetches = pair('prefetch_task', 'Prefetches', ofTask);
    this.#requests = pair('backend_request', 'Requests to origins', ofRequest);
    this.#proxied = pair('proxy_request', 'Requests of clients of the proxy');
    this.#proxiedByPeers = counter('proxy_request_via_dfdaemon_total', 'Requests answered with content of the peers.');
    this.#traffic = counter('download_traffic', 'Bytes of finished downloads by where they came from.', ['type']);
    this.#uploaded = counter('upload_traffic', 'Bytes given to other peers.');
    this.#duration = histogram('download_task_duration_milliseconds', 'Duration of finished downloads.', [
      'task_type',
      'task_size_level',
    ]);
    this.#requestDuration = histogram(
      'backend_request_duration_milliseconds',
      'Time until an origin had answered.',
      ofRequest,
    );
    const labelNames = ['git_version', 'git_commit', 'platform', 'build_time'];
    new Gauge({ name: `${prefix}version`, help: 'Version of this service.', labelNames, registers }).set(
      { git_version: version, git_commit: 'unknown', platform: `${process.platform}/${process.arch}`, build_time: '' },
      1,
    );
  }

  downloaded(request: DownloadRequest, receipt: Receipt): void {
    const pair = request.prefetch === true ? this.#prefetches : this.#tasks;
    pair.total.inc(this.#labelsOf(request));
    const level = String(taskSizeLevel(receipt.contentLengthBytes));
    this.#duration.observe({ task_type: standardTask, task_size_level: level }, receipt.costMs);
    const remote = receipt.parents.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#traffic.inc({ type: 'BACK_TO_SOURCE' }, receipt.bytesFromOrigin);
    this.#traffic.inc({ type: 'REMOTE_PEER' }, remote);
    this.#traffic.inc({ type: 'LOCAL_PEER' }, receipt.bytesFromLocal);
  }

  failed(request: DownloadRequest): void {
    const pair = request.prefetch === true ? this.#prefetches : this.#tasks;
    pair.total.inc(this.#labelsOf(request));
    pair.failures.inc(this.#labelsOf(request));
  }

  uploaded(bytes: number): void {
    this.#uploaded.inc(bytes);
  }

  /** Records a request to an origin and the time until it answered or failed. */
  originAsked(call: { scheme: string; method: 'GET' | 'HEAD'; costMs: number; failed: boolean }): void {
    const labels = { scheme: call.scheme, method: call.method };
    this.#requests.total.inc(labels);
    if (call.failed) this.#requests.failures.inc(labels);
    else this.#requestDuration.observe(labels, call.costMs);
  }

  proxied({ byPeers, failed }: { byPeers: boolean; failed: boolean }): void {
    this.#proxied.total.inc();
    if (failed) this.#proxied.failures.inc();
    if (byPeers) this.#proxiedByPeers.inc();
  }

  /** Exports the number of running downloads and the disk usage of the store, both read when the metrics are scraped. */
  watch(dataDirectory: string, running: () => number): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name: prefix + name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    };
    gauge('concurrent_download_task_total', 'Downloads that run now.', running);
    gauge('disk_space_total', 'Bytes of the disk of the store.', () => {
      const { blocks, bsize } = statfsSync(dataDirectory);
      return blocks * bsize;
    });
    gauge('disk_usage_space_total', 'Bytes used of that disk.', () => {
      const { blocks, bfree, bsize } = statfsSync(dataDirectory);
      return (blocks - bfree) * bsize;
    });
  }

  #labelsOf({ tag = '', application = '', priority = 6 }: DownloadRequest): Record<TaskLabel, string> {
    return { type: standardTask, tag: this.#word(tag), app: this.#word(application), priority: String(priority) };
  }

  #word(word: string): string {
    if (this.#words.size < maxWords) this.#words.add(word);
    return this.#words.has(word) ? word : 'others';
  }
}
