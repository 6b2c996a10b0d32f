/** The scheduler's metrics, under the names that the original's dashboards use. */
import { Counter, createRegistry, Gauge, Histogram, type Registry, Summary } from '../core/metrics.ts';
import { version } from '../core/version.ts';

const prefix = 'dragonfly_scheduler_';
const peerLabels = ['priority', 'task_type', 'host_type'] as const;
const pieceLabels = ['traffic_type', 'task_type', 'host_type'] as const;

/** Calls that are counted with a `_failure_total` twin. In three places the original's names differ from those of the RPCs. */
const callNames = {
  announcePeer: 'announce_peer',
  statPeer: 'stat_peer',
  deletePeer: 'leave_peer',
  statTask: 'stat_task',
  deleteTask: 'leave_task',
  announceHost: 'announce_host',
  listHosts: 'list_hosts',
  deleteHost: 'leave_host',
  announceTasks: 'announce_tasks',
  preheatImage: 'preheat_image',
  statImage: 'stat_image',
  preheatFile: 'preheat_file',
  statFile: 'stat_file',
  askProof: 'ask_proof',
  tellProof: 'tell_proof',
  noteObject: 'note_object',
  uploadPersistentTaskStarted: 'upload_persistent_task_started',
  uploadPersistentTaskFinished: 'upload_persistent_task_finished',
  uploadPersistentTaskFailed: 'upload_persistent_task_failed',
  statPersistentTask: 'stat_persistent_task',
  deletePersistentTask: 'delete_persistent_task',
  statPersistentPeer: 'stat_persistent_peer',
  deletePersistentPeer: 'delete_persistent_peer',
  uploadPersistentCacheTaskStarted: 'upload_persistent_cache_task_started',
  uploadPersistentCacheTaskFinished: 'upload_persistent_cache_task_finished',
  uploadPersistentCacheTaskFailed: 'upload_persistent_cache_task_failed',
  statPersistentCacheTask: 'stat_persistent_cache_task',
  deletePersistentCacheTask: 'delete_persistent_cache_task',
  statPersistentCachePeer: 'stat_persistent_cache_peer',
  deletePersistentCachePeer: 'delete_persistent_cache_peer',
} as const;

export type CountedCall = keyof typeof callNames;

export class SchedulerMetrics {
  readonly registry: Registry = createRegistry();
  readonly #calls = new Map<CountedCall, { readonly total: Counter; readonly failures: Counter }>();
  readonly registered = this.#counter('register_peer_total', 'peers registered', peerLabels);
  readonly registerFailed = this.#counter('register_peer_failure_total', 'registrations refused', peerLabels);
  readonly started = this.#counter('download_peer_started_total', 'downloads begun', peerLabels);
  readonly startFailed = this.#counter(
    'download_peer_started_failure_total',
    'downloads that could not begin',
    peerLabels,
  );
  readonly backToSourceStarted = this.#counter(
    'download_peer_back_to_source_started_total',
    'downloads from the origin begun',
    peerLabels,
  );
  readonly backToSourceStartFailed = this.#counter(
    'download_peer_back_to_source_started_failure_total',
    'downloads from the origin that could not begin',
    peerLabels,
  );
  readonly finished = this.#counter('download_peer_finished_total', 'downloads finished', peerLabels);
  readonly failed = this.#counter('download_peer_finished_failure_total', 'downloads failed', peerLabels);
  readonly backToSourceFailed = this.#counter(
    'download_peer_back_to_source_finished_failure_total',
    'downloads from the origin failed',
    peerLabels,
  );
  readonly pieces = this.#counter('download_piece_finished_total', 'pieces reported', pieceLabels);
  readonly piecesFailed = this.#counter('download_piece_finished_failure_total', 'pieces failed', pieceLabels);
  readonly sourcePiecesFailed = this.#counter(
    'download_piece_back_to_source_finished_failure_total',
    'pieces the origin failed to give',
    pieceLabels,
  );
  readonly traffic = this.#counter('traffic', 'bytes reported by where they came from', [
    'type',
    'task_type',
    'host_type',
  ] as const);
  readonly struckOff = this.#counter('hosts_struck_off_total', 'hosts found to give or tell what is not so', []);
  readonly hostTraffic = this.#counter('host_traffic', 'bytes of each host', [
    'type',
    'task_type',
    'host_type',
    'host_id',
    'host_ip',
    'host_name',
  ] as const);
  readonly decision = new Histogram({
    name: `${prefix}decision_duration_seconds`,
    help: 'time the swarm took for one event',
    buckets: [0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5],
    registers: [this.registry],
  });
  readonly schedule = this.#summary(
    'schedule_duration_milliseconds',
    'time until a peer that asked was given parents or sent to the origin',
    [],
  );
  readonly downloadDuration = this.#summary(
    'download_peer_duration_milliseconds',
    'time of finished downloads, from registration',
    ['task_size_level'] as const,
  );
  readonly seedDownloads = this.#counter('seed_download_total', 'downloads asked of seeds', ['result'] as const);

  constructor() {
    for (const [call, name] of Object.entries(callNames) as [CountedCall, string][]) {
      this.#calls.set(call, {
        total: this.#counter(`${name}_total`, `calls of ${call}`, []),
        failures: this.#counter(`${name}_failure_total`, `failed calls of ${call}`, []),
      });
    }
    const [major = '0', minor = '0'] = version.split('.');
    new Gauge({
      name: `${prefix}version`,
      help: 'version of this scheduler',
      labelNames: ['major', 'minor', 'git_version'],
      registers: [this.registry],
    }).set({ major, minor, git_version: version }, 1);
  }

  /** Registers gauges that are read when metrics are scraped. */
  observe(
    counts: () => { readonly hosts: number; readonly tasks: number; readonly peers: number },
    sessions: () => number,
  ): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name: `${prefix}${name}`,
        help,
        registers: [this.registry],
        collect() {
          this.set(read());
        },
      });
    };
    gauge('hosts', 'hosts known', () => counts().hosts);
    gauge('tasks', 'tasks known', () => counts().tasks);
    gauge('peers', 'peers known', () => counts().peers);
    gauge('concurrent_schedule_total', 'peers whose stream is open', sessions);
  }

  called(call: CountedCall): void {
    this.#calls.get(call)?.total.inc();
  }

  callFailed(call: CountedCall): void {
    this.#calls.get(call)?.failures.inc();
  }

  /** Uses the original's quantiles, and the time span it computes them over. */
  #summary<L extends string>(name: string, help: string, labelNames: readonly L[]): Summary<L> {
    return new Summary({
      name: `${prefix}${name}`,
      help,
      labelNames,
      percentiles: [0.5, 0.9, 0.95, 0.99],
      maxAgeSeconds: 600,
      ageBuckets: 5,
      registers: [this.registry],
    });
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name: `${prefix}${name}`, help, labelNames, registers: [this.registry] });
  }
}
