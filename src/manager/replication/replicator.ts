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
import { HeldLease } from '../db/held-lease.ts';
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
import { CopyResults } from './copy-results.ts';
import type { CopyRow, CopyStore, TagRow } from './copy-store.ts';
import { HubTags } from './hub-tags.ts';
import { Pushes } from './pushes.ts';
import { RegistryPause } from './registry-pause.ts';
import { RegistryTags } from './registry-tags.ts';
import { keepPlaces } from './rule-changes.ts';
import { covers, parseRuleSource } from './rule-source.ts';
import { clusterIdsOf, tagPatternsOf, targetId, type RuleRow } from './rule-row.ts';
import type { RuleStore } from './rule-store.ts';
import { copiesToStart, isListDue, nextLookMs, restMs } from './schedule.ts';
import type { TagSource } from './tag-source.ts';

export interface ReplicatorParts {
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly topology: Topology;
  readonly registry: RegistryClient;
  readonly hubEndpoint: string;
  /** Hosts to which tags may be pushed without TLS. */
  readonly insecureHosts: readonly string[];
  readonly rules: RuleStore;
  readonly copies: CopyStore;
  readonly jobs: JobStore;
  readonly jobTasks: JobTasks;
  readonly logger: Logger;
  /** Name of this replica. */
  readonly owner: string;
}

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
  readonly #results: CopyResults;
  readonly #lease: HeldLease;
  /** By the rule's id: the places whose copies are in order. */
  readonly #places = new Map<number, string>();
  #started = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer ends. */
  #wakeAtMs = Infinity;
  #ticking: Promise<void> | undefined;
  #tickAgain = false;

  constructor(parts: ReplicatorParts) {
    this.#parts = parts;
    const { registry, rules, insecureHosts, database, owner, logger } = parts;
    this.#pushes = new Pushes({
      registry,
      rules,
      insecureHosts,
      onEnd: (end) => this.#results.pushed(end).then(() => this.#tick()),
    });
    this.#results = new CopyResults(parts);
    this.#lease = new HeldLease({
      database,
      owner,
      logger,
      name: 'replication',
      ttlMs: replicationLeaseMs,
      isBusy: () => this.#stepping.size + this.#pushes.size > 0,
      onLost: () => {
        this.#pushes.stopAll();
        this.#tick();
      },
    });
    this.#unsubscribe = parts.changes.subscribe(({ topic }) => {
      if (topic === 'replication' || topic === 'job' || topic === 'cluster') this.#tick();
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
    await this.#lease[Symbol.asyncDispose]();
  }

  #tick(): void {
    if (!this.#started || this.#stop.signal.aborted) return;
    this.#tickAgain = true;
    this.#ticking ??= this.#tickAll().finally(() => (this.#ticking = undefined));
  }

  async #tickAll(): Promise<void> {
    const { rules, logger } = this.#parts;
    try {
      while (this.#tickAgain && !this.#stop.signal.aborted) {
        this.#tickAgain = false;
        this.#sleep();
        const isOurs = await this.#lease.acquire();
        const all = await rules.all();
        this.#keepRules(new Set(all.map(({ id }) => id)));
        for (const rule of all) {
          if (!isOurs) {
            await this.#plan(rule, await this.#lease.freeAtMs());
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

  #keepRules(ids: ReadonlySet<number>): void {
    this.#pushes.keepRules(ids);
    for (const id of this.#places.keys()) if (!ids.has(id)) this.#places.delete(id);
  }

  /** Repeats as long as another step is requested meanwhile, for this rule only, because rules would otherwise wake each other without end. */
  async #stepRepeatedly(first: RuleRow): Promise<void> {
    const { rules, logger } = this.#parts;
    const { id } = first;
    try {
      for (let rule: RuleRow | undefined = first; rule; rule = await rules.find(id)) {
        await this.#step(rule);
        if (this.#stop.signal.aborted) return;
        if (!this.#again.has(id)) await this.#plan(rule);
        if (!this.#again.delete(id)) return;
        if (!(await this.#lease.acquire())) return this.#tick();
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
    await this.#keepPlaces(rule);
    await this.#collect(rule);
    const source = rule.enabled === 1 && this.#source(rule);
    if (!source) return;
    if (isListDue(rule, await database.nowMs())) await this.#list(rule, source);
    await this.#look(rule, source);
    await this.#begin(rule, source);
  }

  /** Clusters that were named anew, or joined, have copies to wait for; those that are gone, or are not named any more, have none. */
  async #keepPlaces(rule: RuleRow): Promise<void> {
    const places = await this.#clusterIds(rule);
    // By its last change too: two of them may have taken a place away and named it again.
    const key = `${rule.updated_at} ${places.toSorted((a, b) => a - b).join()}`;
    if (this.#places.get(rule.id) === key) return;
    await keepPlaces(this.#parts, rule.id, places);
    this.#places.set(rule.id, key);
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
      await rules.listed(
        rule.id,
        {
          attempt: rule.attempt + 1,
          retry_at: (await database.nowMs()) + pauseOf(error, rule.attempt + 1),
          error: message,
        },
        rule.asked_at,
      );
    }
  }

  async #look(rule: RuleRow, source: TagSource): Promise<void> {
    const { database, copies } = this.#parts;
    const tags = await copies.tagsToLookAt(rule.id, await database.nowMs());
    if (tags.length === 0) return;
    const clusterIds = await this.#clusterIds(rule);
    let isPaused = false;
    const look = async (tag: TagRow): Promise<void> => {
      if (isPaused) return;
      try {
        const digest = await source.digest(tag, this.#stop.signal);
        await (digest === undefined ? copies.forgetTag(tag.id) : copies.known(tag, digest, clusterIds));
      } catch (error) {
        this.#stop.signal.throwIfAborted();
        const retryAtMs = (await database.nowMs()) + pauseOf(error, tag.attempt + 1);
        const { message } = toDragonflyError(error);
        await copies.unknown(tag, message, retryAtMs);
        if (!(error instanceof RegistryPause)) return;
        isPaused = true;
        await copies.pauseLooks(rule.id, message, retryAtMs);
      }
    };
    await runAll(tags, replicationLooksAtOnce, look, this.#stop.signal);
    this.#again.add(rule.id); // there may be more of them
  }

  /** Ends the copies whose preheat has ended. */
  async #collect(rule: RuleRow): Promise<void> {
    const running = await this.#parts.copies.running(rule.id);
    this.#pushes.keepOnly(rule, running);
    await this.#results.collect(running, (copy) => this.#pushes.has(copy.id));
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
      const tag = waiting && (await copies.tag(waiting.tag_id));
      if (!tag) continue;
      // Of a list, or a notification, from before the rule was changed.
      if (!covers(rule, tag)) {
        await copies.forgetTag(tag.id);
        continue;
      }
      const copy = await copies.begin(waiting, rule);
      if (!copy) continue;
      if (copy.cluster_id === targetId) this.#pushes.begin(rule, copy, tag);
      else await this.#preheat(rule, source, { copy, tag });
    }
  }

  /** One tag for one cluster: an ordinary preheat. */
  async #preheat(rule: RuleRow, source: TagSource, { copy, tag }: { copy: CopyRow; tag: TagRow }): Promise<void> {
    const { changes, copies, jobs, rules } = this.#parts;
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
      ruleId: rule.id,
    });
    if (await copies.change(copy, { job_id: jobId })) return;
    // Somebody changed the rule in between.
    await changes.write('replication', rule.id, (db) => jobs.cancelAll([jobId], db));
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
