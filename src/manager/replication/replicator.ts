/**
 * Carries rules of replication out. Everything it knows is in the database: which tags a rule covers, what their source calls
 * them, what each cluster has proven. A step compares these and begins what is missing, each as an ordinary preheat; so it does not
 * matter who takes the next step, nor when. One replica does, and after a restart it goes on where the last one was. A step is taken
 * when something has changed, and when a rest or an interval is over; only tags for another registry are carried by this process itself.
 */
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { ModelHub } from '../../rpc/registry/model-hub.ts';
import type { RegistryClient } from '../../rpc/registry/registry-client.ts';
import type { Topology } from '../clusters/topology.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import { acquireLease, leaseFreeAtMs, releaseLease } from '../db/leases.ts';
import { preheatArgs } from '../jobs/job-types.ts';
import type { JobStore } from '../jobs/job-store.ts';
import { runAll } from '../jobs/pool.ts';
import type { JobTasks } from '../jobs/job-tasks.ts';
import {
  firstReplicationRetryMs,
  longestReplicationRestMs,
  replicationLeaseMs,
  replicationLooksAtOnce,
} from '../limits.ts';
import type { CopyRow, CopyStore, TagRow } from './copy-store.ts';
import { HubTags } from './hub-tags.ts';
import { outcomeOf, type CopyOutcome } from './outcome.ts';
import { Pushes } from './pushes.ts';
import { RegistryPause } from './registry-pause.ts';
import { RegistryTags } from './registry-tags.ts';
import { parseRuleSource } from './rule-source.ts';
import { clusterIdsOf, tagPatternsOf, targetId, type RuleRow, type RuleStore } from './rule-store.ts';
import { copiesToStart, isListDue, nextLookMs, restMs } from './schedule.ts';
import type { TagSource } from './tag-source.ts';

export interface ReplicatorParts {
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly topology: Topology;
  readonly registry: RegistryClient;
  readonly hubEndpoint: string;
  readonly rules: RuleStore;
  readonly copies: CopyStore;
  readonly jobs: JobStore;
  readonly jobTasks: JobTasks;
  readonly logger: Logger;
  /** Name of this replica. */
  readonly owner: string;
}

const leaseName = 'replication';
/** What is due now is a matter of events: a clock that disagrees with the database's makes no loop. */
const shortestRestMs = 200;

export class Replicator implements Closable {
  readonly #parts: ReplicatorParts;
  readonly #stop = new AbortController();
  readonly #unsubscribe: () => void;
  /** Rules whose step is running. One step per rule, so that a registry that does not answer delays no other rule. */
  readonly #stepping = new Map<number, Promise<void>>();
  /** Rules that need another step as soon as the running one has ended. */
  readonly #again = new Set<number>();
  readonly #pushes: Pushes;
  #started = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer ends. */
  #wakeAtMs = Infinity;
  #ticking: Promise<void> | undefined;
  #tickAgain = false;

  constructor(parts: ReplicatorParts) {
    this.#parts = parts;
    const { registry, rules } = parts;
    this.#pushes = new Pushes({ registry, rules, onEnd: (...end) => this.#pushed(...end) });
    this.#unsubscribe = parts.changes.subscribe(({ topic }) => {
      if (topic === 'replication' || topic === 'job') this.#tick();
    });
  }

  start(): void {
    this.#started = true;
    this.#tick();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#ticking;
    await Promise.all(this.#stepping.values());
    await this.#pushes.stop();
    await releaseLease(this.#parts.database, leaseName, this.#parts.owner);
  }

  #tick(): void {
    if (!this.#started || this.#stop.signal.aborted) return;
    this.#tickAgain = true;
    this.#ticking ??= this.#tickAll().finally(() => (this.#ticking = undefined));
  }

  async #tickAll(): Promise<void> {
    const { database, owner, rules, logger } = this.#parts;
    try {
      while (this.#tickAgain && !this.#stop.signal.aborted) {
        this.#tickAgain = false;
        this.#sleep();
        const isOurs = await acquireLease(database, leaseName, owner, replicationLeaseMs);
        const all = await rules.all();
        this.#pushes.keepRules(new Set(all.map(({ id }) => id)));
        for (const rule of all) {
          if (!isOurs) {
            await this.#plan(rule, await leaseFreeAtMs(database, leaseName));
            continue;
          }
          if (this.#stepping.has(rule.id)) this.#again.add(rule.id);
          else this.#stepping.set(rule.id, this.#stepRepeatedly(rule));
        }
      }
    } catch (error) {
      logger.warn({ error: toDragonflyError(error).message }, 'replication stands still');
      this.#wakeIn(firstReplicationRetryMs);
    }
  }

  /** Repeats as long as another step is requested meanwhile, for this rule only, because rules would otherwise wake each other without end. */
  async #stepRepeatedly(first: RuleRow): Promise<void> {
    const { database, owner, rules, logger } = this.#parts;
    const { id } = first;
    try {
      for (let rule: RuleRow | undefined = first; rule; rule = await rules.find(id)) {
        await this.#step(rule);
        if (this.#stop.signal.aborted) return;
        if (!this.#again.has(id)) await this.#plan(rule);
        if (!this.#again.delete(id)) return;
        if (!(await acquireLease(database, leaseName, owner, replicationLeaseMs))) return this.#tick();
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      logger.warn({ rule: first.name, error: toDragonflyError(error).message }, 'a step of a replication failed');
      this.#wakeIn(firstReplicationRetryMs);
    } finally {
      this.#again.delete(id);
      this.#stepping.delete(id);
    }
  }

  /** Looks at the rule again when the next of its rests is over, and not before `notBeforeMs` of the database's clock. */
  async #plan({ id }: RuleRow, notBeforeMs = 0): Promise<void> {
    const { database, rules, copies } = this.#parts;
    const rule = await rules.find(id);
    if (!rule) return;
    const [rests, running] = await Promise.all([copies.rests(id), copies.running(id)]);
    const ended = await copies.lastEnded(id, rests.copies.keys());
    const lost = running.filter((copy) => copy.job_id === 0 && !this.#pushes.has(copy.id));
    const wakes = [
      nextLookMs(rule, rests, { running, ended }) ?? Infinity,
      ...lost.map((copy) => copy.started_at + replicationLeaseMs),
    ];
    const first = Math.max(Math.min(...wakes), notBeforeMs);
    if (first < Infinity) this.#wakeIn(first - (await database.nowMs()));
    // What this process carries itself keeps it the one that looks after rules.
    if (this.#pushes.size > 0) this.#wakeIn(replicationLeaseMs / 3);
  }

  #wakeIn(ms: number): void {
    const restMs = Math.min(Math.max(ms, shortestRestMs), longestReplicationRestMs);
    const atMs = performance.now() + restMs;
    if (this.#stop.signal.aborted || atMs >= this.#wakeAtMs) return;
    clearTimeout(this.#timer);
    this.#wakeAtMs = atMs;
    this.#timer = setTimeout(() => this.#tick(), restMs);
    this.#timer.unref();
  }

  /** Each look at all rules says anew when the next one is due. */
  #sleep(): void {
    clearTimeout(this.#timer);
    this.#wakeAtMs = Infinity;
  }

  async #step(rule: RuleRow): Promise<void> {
    const { database } = this.#parts;
    await this.#collect(rule);
    const source = rule.enabled === 1 && this.#source(rule);
    if (!source) return;
    if (isListDue(rule, await database.nowMs())) await this.#list(rule, source);
    await this.#look(rule, source);
    await this.#begin(rule, source);
  }

  async #list(rule: RuleRow, source: TagSource): Promise<void> {
    const { database, rules, copies } = this.#parts;
    // A request that arrives while the registry is being read applies to the next list.
    const listedAt = Math.max(rule.asked_at, await database.nowMs());
    try {
      const tags = await source.list(tagPatternsOf(rule), this.#stop.signal);
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

  async #look(rule: RuleRow, source: TagSource): Promise<void> {
    const { database, copies } = this.#parts;
    const tags = await copies.tagsToLookAt(rule.id, await database.nowMs());
    if (tags.length === 0) return;
    const clusterIds = await this.#clusterIds(rule);
    let pausedUntilMs = 0;
    const look = async (tag: TagRow): Promise<void> => {
      if (pausedUntilMs > 0) return copies.unknown(tag, 'the source wants to be left alone for a while', pausedUntilMs);
      try {
        const digest = await source.digest(tag, this.#stop.signal);
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
    const running = await copies.running(rule.id);
    this.#pushes.keepOnly(rule, running);
    for (const copy of running) {
      const now = await database.nowMs();
      // Between the mark and its job a manager may have died, and while it carried a tag itself.
      if (copy.job_id === 0 && (this.#pushes.has(copy.id) || now - copy.started_at < replicationLeaseMs)) continue;
      if (copy.cluster_id === targetId) await copies.end(copy, { state: 'waiting' });
      else await this.#settle(copy, await outcomeOf(copy, { jobs, jobTasks }));
    }
  }

  /** @param pausedMs what a registry has asked for, where that is what went wrong. */
  async #settle(copy: CopyRow, outcome: CopyOutcome | undefined, pausedMs = 0): Promise<void> {
    if (!outcome) return;
    const { database, copies } = this.#parts;
    const now = await database.nowMs();
    const { digest, bytes, proven, error } = outcome;
    if (error !== undefined) {
      const attempt = copy.attempt + 1;
      const retryAt = now + Math.max(pausedMs, restMs(attempt));
      return copies.end(copy, { state: 'waiting', attempt, retry_at: retryAt, ended_at: now, bytes, error });
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
    if (wanted?.digest === digest) return copies.end(copy, { ...done, state: proven ? 'proven' : 'copied' });
    // The tag moved meanwhile: the source is asked before the cluster is.
    const retryAt = now + restMs(1);
    await copies.lookAgain(copy.tag_id, retryAt);
    await copies.end(copy, { ...done, state: 'waiting', retry_at: retryAt });
  }

  /** Never rejects. */
  async #pushed(rule: RuleRow, copy: CopyRow, outcome: CopyOutcome | undefined, error: unknown): Promise<void> {
    const { copies, logger } = this.#parts;
    try {
      // What was stopped is not a failure: whoever goes on finds there what has arrived.
      if (outcome) await this.#settle(copy, outcome, error instanceof RegistryPause ? error.retryAfterMs : 0);
      else await copies.end(copy, { state: 'waiting' });
    } catch (cause) {
      logger.warn({ rule: rule.name, error: toDragonflyError(cause).message }, 'what became of a push is not written');
    }
    this.#tick();
  }

  async #begin(rule: RuleRow, source: TagSource): Promise<void> {
    const { database, copies } = this.#parts;
    const now = await database.nowMs();
    const waiting = await copies.due(rule.id, now);
    if (waiting.length === 0) return;
    const open = [...(await copies.running(rule.id)), ...waiting];
    const ended = await copies.lastEnded(rule.id, new Set(waiting.map((copy) => copy.cluster_id)));
    const byId = new Map(waiting.map((copy) => [copy.id, copy]));
    for (const id of copiesToStart(rule, { open, ended }, now)) {
      this.#stop.signal.throwIfAborted();
      const waiting = byId.get(id);
      const copy = waiting && (await copies.begin(waiting, rule));
      const tag = copy && (await copies.tag(copy.tag_id));
      if (!copy || !tag) continue;
      if (copy.cluster_id === targetId) this.#pushes.begin(rule, copy, tag);
      else await this.#preheat(rule, source, { copy, tag });
    }
  }

  /** One tag for one cluster: an ordinary preheat. */
  async #preheat(rule: RuleRow, source: TagSource, { copy, tag }: { copy: CopyRow; tag: TagRow }): Promise<void> {
    const { copies, jobs, rules } = this.#parts;
    const args = preheatArgs.parse({
      ...source.preheat(tag, tag.digest),
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

  #source(rule: RuleRow): TagSource | undefined {
    const { registry, hubEndpoint, rules } = this.#parts;
    const source = parseRuleSource(rule.source);
    const login = rules.login(rule);
    if (source?.kind === 'hub')
      return new HubTags(new ModelHub(registry, { endpoint: hubEndpoint, token: login?.password }), source.pattern);
    return source && new RegistryTags(registry, source.pattern, login);
  }

  /** And the target among them. */
  async #clusterIds(rule: RuleRow): Promise<number[]> {
    const { clusters } = await this.#parts.topology.current();
    const named = clusterIdsOf(rule);
    const ids = [...clusters.keys()].filter((id) => named.length === 0 || named.includes(id));
    return [...(rule.target === '' ? [] : [targetId]), ...(rule.to_clusters === 1 ? ids : [])];
  }
}

function pauseOf(error: unknown, failures: number): number {
  return error instanceof RegistryPause ? error.retryAfterMs : restMs(failures);
}
