/** Metrics of the manager, with the original's names where it has them. Labels have few values: never ids or raw paths. */
import { Counter, Gauge, Histogram, type Registry } from '../core/metrics.ts';
import type { Database } from './db/database.ts';
import { version } from '../core/version.ts';

/** Daemons report their version as free text; versions beyond this many are counted as `other`. */
const maxVersions = 100;

export interface SearchMetrics {
  searched(version: string, commit: string, found: boolean): void;
}

export class ManagerMetrics implements SearchMetrics {
  readonly requests: Counter<'code' | 'method' | 'handler'>;
  readonly requestSeconds: Histogram<'code' | 'method' | 'handler'>;
  readonly jobs: Counter<'name'>;
  readonly jobSuccesses: Counter<'name'>;
  readonly rateLimited: Counter<'what'>;
  readonly #searches: Counter<'version' | 'commit'>;
  readonly #searchFailures: Counter<'version' | 'commit'>;
  readonly #versions = new Set<string>();

  constructor(registry: Registry) {
    const registers = [registry];
    const search = { labelNames: ['version', 'commit'] as const, registers };
    this.#searches = new Counter({
      name: 'dragonfly_manager_search_scheduler_cluster_total',
      help: 'Daemons that asked for their schedulers.',
      ...search,
    });
    this.#searchFailures = new Counter({
      name: 'dragonfly_manager_search_scheduler_cluster_failure_total',
      help: 'Daemons that asked for their schedulers while none was active.',
      ...search,
    });
    const http = { labelNames: ['code', 'method', 'handler'] as const, registers };
    this.requests = new Counter({ name: 'dragonfly_manager_requests_total', help: 'REST requests by route.', ...http });
    this.requestSeconds = new Histogram({
      name: 'dragonfly_manager_request_duration_seconds',
      help: 'Time from a REST request to its answer.',
      ...http,
    });
    this.jobs = new Counter({
      name: 'dragonfly_manager_create_job_total',
      help: 'Jobs asked for.',
      labelNames: ['name'],
      registers,
    });
    this.jobSuccesses = new Counter({
      name: 'dragonfly_manager_create_job_success_total',
      help: 'Jobs accepted.',
      labelNames: ['name'],
      registers,
    });
    this.rateLimited = new Counter({
      name: 'dragonfly_manager_rate_limited_total',
      help: 'Calls refused because they came too fast.',
      labelNames: ['what'],
      registers,
    });
    const [major = '', minor = ''] = version.split('.');
    new Gauge({
      name: 'dragonfly_manager_version',
      help: 'Version of this manager.',
      labelNames: ['major', 'minor', 'git_version', 'platform'],
      registers,
    }).set({ major, minor, git_version: version, platform: `${process.platform}/${process.arch}` }, 1);
  }

  /** Gauges that count rows when they are read. */
  countRows({ db }: Database, registry: Registry): void {
    const registers = [registry];
    new Gauge({
      name: 'dragonfly_manager_jobs',
      help: 'Jobs in the database by state.',
      labelNames: ['state'],
      registers,
      async collect() {
        this.reset();
        const rows = await db
          .selectFrom('job')
          .select((e) => ['state', e.fn.countAll().as('count')])
          .groupBy('state')
          .execute();
        for (const { state, count } of rows) this.set({ state }, Number(count));
      },
    });
    new Gauge({
      name: 'dragonfly_manager_members',
      help: 'Schedulers, seed peers and peers in the database by state.',
      labelNames: ['kind', 'state'],
      registers,
      async collect() {
        this.reset();
        for (const kind of ['scheduler', 'seed_peer', 'peer'] as const) {
          const rows = await db
            .selectFrom(kind)
            .select((e) => ['state', e.fn.countAll().as('count')])
            .groupBy('state')
            .execute();
          for (const { state, count } of rows) this.set({ kind, state }, Number(count));
        }
      },
    });
  }

  searched(daemonVersion: string, commit: string, found: boolean): void {
    const labels = this.#known(daemonVersion, commit);
    this.#searches.inc(labels);
    if (!found) this.#searchFailures.inc(labels);
  }

  #known(daemonVersion: string, commit: string): { version: string; commit: string } {
    const key = `${daemonVersion} ${commit}`;
    if (!this.#versions.has(key)) {
      if (this.#versions.size >= maxVersions) return { version: 'other', commit: 'other' };
      this.#versions.add(key);
    }
    return { version: daemonVersion, commit };
  }
}
