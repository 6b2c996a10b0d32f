/**
 * Carries rules of replication out. Everything it knows is in the database: which tags a rule covers, what their source calls
 * them, what each cluster has proven. A step compares these and begins what is missing, each as an ordinary preheat; so it does not
 * matter who takes the next step, nor when. One replica does, and after a restart it goes on where the last one was.
 */
import { toDragonflyError } from '../../core/errors.ts';
import { manifestUrl, parseRepositoryPattern, type RepositoryPattern } from '../../core/oci/reference.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { RegistryClient } from '../../rpc/registry/registry-client.ts';
import type { Topology } from '../clusters/topology.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { acquireLease, releaseLease } from '../db/leases.ts';
import { preheatArgs } from '../jobs/job-types.ts';
import type { JobStore } from '../jobs/job-store.ts';
import { runAll } from '../jobs/pool.ts';
import type { JobTasks } from '../jobs/job-tasks.ts';
import { replicationLeaseMs, replicationLooksAtOnce, replicationTickMs } from '../limits.ts';
import type { CopyRow, CopyStore, TagRow } from './copy-store.ts';
import { outcomeOf } from './outcome.ts';
import { RegistryPause, RegistryTags } from './registry-tags.ts';
import { clusterIdsOf, tagPatternsOf, type RuleRow, type RuleStore } from './rule-store.ts';
import { copiesToStart, isListDue, restMs } from './schedule.ts';

export interface ReplicatorParts {
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly topology: Topology;
  readonly registry: RegistryClient;
  readonly rules: RuleStore;
  readonly copies: CopyStore;
  readonly jobs: JobStore;
  readonly jobTasks: JobTasks;
  readonly logger: Logger;
  /** Name of this replica. */
  readonly owner: string;
}

const leaseName = 'replication';

export class Replicator implements Closable {
  readonly #parts: ReplicatorParts;
  readonly #stop = new AbortController();
  readonly #unsubscribe: () => void;
  /** Rules whose step is running. One step per rule, so that a registry that does not answer delays no other rule. */
  readonly #stepping = new Map<number, Promise<void>>();
  /** Rules that need another step as soon as the running one has ended. */
  readonly #again = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> | undefined;
  #tickAgain = false;

  constructor(parts: ReplicatorParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.changes.subscribe(({ topic }) => {
      if (topic === 'replication' || topic === 'job') this.#tick();
    });
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), replicationTickMs);
    this.#timer.unref();
    this.#tick();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#ticking;
    await Promise.all(this.#stepping.values());
    await releaseLease(this.#parts.database, leaseName, this.#parts.owner);
  }

  #tick(): void {
    if (this.#timer === undefined || this.#stop.signal.aborted) return;
    this.#tickAgain = true;
    this.#ticking ??= this.#tickAll().finally(() => (this.#ticking = undefined));
  }

  async #tickAll(): Promise<void> {
    const { database, owner, rules, logger } = this.#parts;
    try {
      while (this.#tickAgain && !this.#stop.signal.aborted) {
        this.#tickAgain = false;
        if (!(await acquireLease(database, leaseName, owner, replicationLeaseMs))) return;
        for (const rule of await rules.all()) {
          if (this.#stepping.has(rule.id)) this.#again.add(rule.id);
          else this.#stepping.set(rule.id, this.#stepRepeatedly(rule));
        }
      }
    } catch (error) {
      logger.warn({ error: toDragonflyError(error).message }, 'replication stands still');
    }
  }

  /** Repeats as long as another step is requested meanwhile, for this rule only, because rules would otherwise wake each other without end. */
  async #stepRepeatedly(first: RuleRow): Promise<void> {
    const { database, owner, rules, logger } = this.#parts;
    const { id } = first;
    try {
      for (let rule: RuleRow | undefined = first; rule; rule = await rules.find(id)) {
        await this.#step(rule);
        if (!this.#again.delete(id) || this.#stop.signal.aborted) return;
        if (!(await acquireLease(database, leaseName, owner, replicationLeaseMs))) return;
      }
    } catch (error) {
      logger.warn({ rule: first.name, error: toDragonflyError(error).message }, 'a step of a replication failed');
    } finally {
      this.#again.delete(id);
      this.#stepping.delete(id);
    }
  }

  async #step(rule: RuleRow): Promise<void> {
    const { database, logger } = this.#parts;
    try {
      await this.#collect(rule);
      if (rule.enabled === 0) return;
      const source = parseRepositoryPattern(rule.source);
      if (!source) return;
      if (isListDue(rule, await database.nowMs())) await this.#list(rule, source);
      await this.#look(rule, source);
      await this.#begin(rule, source);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      logger.warn({ rule: rule.name, error: toDragonflyError(error).message }, 'a step of a replication failed');
    }
  }

  async #list(rule: RuleRow, source: RepositoryPattern): Promise<void> {
    const { database, rules, copies } = this.#parts;
    // A request that arrives while the registry is being read applies to the next list.
    const listedAt = Math.max(rule.asked_at, await database.nowMs());
    try {
      const tags = await this.#registry(rule, source).list(tagPatternsOf(rule), this.#stop.signal);
      await copies.look(rule.id, tags, { all: true });
      await rules.listed(rule.id, { listed_at: listedAt, attempt: 0, retry_at: 0, error: '' });
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      const { message } = toDragonflyError(error);
      await rules.listed(rule.id, {
        attempt: rule.attempt + 1,
        retry_at: (await database.nowMs()) + pauseOf(error, rule.attempt + 1),
        error: message,
      });
    }
  }

  async #look(rule: RuleRow, source: RepositoryPattern): Promise<void> {
    const { database, copies } = this.#parts;
    const tags = await copies.tagsToLookAt(rule.id, await database.nowMs());
    if (tags.length === 0) return;
    const registry = this.#registry(rule, source);
    const clusterIds = await this.#clusterIds(rule);
    let pausedUntilMs = 0;
    const look = async (tag: TagRow): Promise<void> => {
      if (pausedUntilMs > 0)
        return copies.unknown(tag, 'the registry wants to be left alone for a while', pausedUntilMs);
      try {
        const digest = await registry.digest(tag, this.#stop.signal);
        await (digest === undefined ? copies.forgetTag(tag.id) : copies.known(tag, digest, clusterIds));
      } catch (error) {
        this.#stop.signal.throwIfAborted();
        const retryAtMs = (await database.nowMs()) + pauseOf(error, tag.attempt + 1);
        if (error instanceof RegistryPause) pausedUntilMs = retryAtMs;
        await copies.unknown(tag, toDragonflyError(error).message, retryAtMs);
      }
    };
    await runAll(tags, replicationLooksAtOnce, look, this.#stop.signal);
    this.#again.add(rule.id); // there may be more of them
  }

  /** Ends the copies whose preheat has ended. */
  async #collect(rule: RuleRow): Promise<void> {
    const { database, copies, jobs, jobTasks } = this.#parts;
    for (const copy of await copies.running(rule.id)) {
      const now = await database.nowMs();
      // A manager may have died between marking the copy and creating its job.
      if (copy.job_id === 0 && now - copy.started_at < replicationLeaseMs) continue;
      const outcome = await outcomeOf(copy, { jobs, jobTasks });
      if (!outcome) continue;
      const { digest, bytes, proven, error } = outcome;
      if (error !== undefined) {
        const attempt = copy.attempt + 1;
        const retryAt = now + restMs(attempt);
        await copies.update(copy.id, { state: 'waiting', attempt, retry_at: retryAt, ended_at: now, bytes, error });
        continue;
      }
      const done = {
        attempt: 0,
        retry_at: 0,
        error: '',
        digest,
        bytes,
        ended_at: now,
        ...(proven && { proven_at: now }),
      };
      const wanted = await copies.tag(copy.tag_id);
      if (wanted?.digest === digest) {
        await copies.update(copy.id, { ...done, state: proven ? 'proven' : 'copied' });
        continue;
      }
      // The tag has moved meanwhile, so the source is asked before the cluster is.
      const retryAt = now + restMs(1);
      await copies.lookAgain(copy.tag_id, retryAt);
      await copies.update(copy.id, { ...done, state: 'waiting', retry_at: retryAt });
    }
  }

  async #begin(rule: RuleRow, source: RepositoryPattern): Promise<void> {
    const { database, copies } = this.#parts;
    const now = await database.nowMs();
    const waiting = await copies.due(rule.id, now);
    if (waiting.length === 0) return;
    const open = [...(await copies.running(rule.id)), ...waiting];
    const ended = await copies.lastEnded(rule.id, new Set(waiting.map((copy) => copy.cluster_id)));
    const byId = new Map(waiting.map((copy) => [copy.id, copy]));
    for (const id of copiesToStart(rule, { open, ended }, now)) {
      this.#stop.signal.throwIfAborted();
      const copy = byId.get(id);
      if (copy && (await copies.begin(id))) await this.#preheat(rule, source, copy);
    }
  }

  /** Copies one tag to one cluster with an ordinary preheat. It is requested by tag, so that nodes find it by tag and by digest. */
  async #preheat(rule: RuleRow, { registry }: RepositoryPattern, copy: CopyRow): Promise<void> {
    const { copies, jobs, rules } = this.#parts;
    const tag = await copies.tag(copy.tag_id);
    if (!tag) return;
    const args = preheatArgs.parse({
      type: 'image',
      url: manifestUrl({ registry, name: tag.repository, reference: tag.tag }),
      platform: rule.platform,
      scope: rule.scope,
      ...rules.login(rule),
    });
    const jobId = await jobs.create({
      type: 'preheat',
      bio: `replication ${rule.name}`,
      args,
      userId: rule.user_id,
      schedulerClusterIds: [copy.cluster_id],
    });
    await copies.update(copy.id, { job_id: jobId });
  }

  #registry(rule: RuleRow, source: RepositoryPattern): RegistryTags {
    return new RegistryTags(this.#parts.registry, source, this.#parts.rules.login(rule));
  }

  async #clusterIds(rule: RuleRow): Promise<number[]> {
    const { clusters } = await this.#parts.topology.current();
    const named = clusterIdsOf(rule);
    return [...clusters.keys()].filter((id) => named.length === 0 || named.includes(id));
  }
}

function pauseOf(error: unknown, failures: number): number {
  return error instanceof RegistryPause ? error.retryAfterMs : restMs(failures);
}
