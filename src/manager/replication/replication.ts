/** Opens all parts of replication together. */
import { DragonflyError } from '../../core/errors.ts';
import type { Owned } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Sealer } from '../access/sealer.ts';
import type { Topology } from '../clusters/topology.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { maxReplicatedTags } from '../limits.ts';
import { CopyStore } from './copy-store.ts';
import type { NamedTag } from './tag-source.ts';
import { Replicator } from './replicator.ts';
import { covers, parseRuleSource, requireTarget } from './rule-source.ts';
import type { RuleRow } from './rule-row.ts';
import { RuleStore, type RuleWish } from './rule-store.ts';

export interface ReplicationParts {
  readonly database: Database;
  readonly changes: ChangeFeed;
  readonly topology: Topology;
  readonly sealer: Sealer;
  readonly jobs: Jobs;
  /** Hosts to which tags may be pushed without TLS. */
  readonly insecureHosts: readonly string[];
  readonly owner: string;
  readonly logger: Logger;
}

export class Replication {
  readonly rules: RuleStore;
  readonly copies: CopyStore;
  readonly replicator: Replicator;
  readonly #changes: ChangeFeed;
  readonly #insecureHosts: readonly string[];

  constructor(parts: ReplicationParts, owned: Owned) {
    const { database, changes, topology, sealer, jobs, owner, logger } = parts;
    this.#changes = changes;
    this.#insecureHosts = parts.insecureHosts;
    this.rules = new RuleStore({ database, changes, sealer, jobs: jobs.service.store });
    this.copies = new CopyStore(database);
    this.replicator = owned.add(
      'replication',
      new Replicator({
        database,
        changes,
        topology,
        owner,
        logger,
        insecureHosts: parts.insecureHosts,
        registry: jobs.preheat.registry,
        hubEndpoint: jobs.preheat.hubEndpoint,
        rules: this.rules,
        copies: this.copies,
        jobs: jobs.service.store,
        jobTasks: jobs.tasks,
      }),
    );
  }

  /** Throws INVALID_ARGUMENT for a rule that could do nothing, or must not do what it says. @param old what is not wished stays */
  check(wish: RuleWish, old?: RuleRow): void {
    const source = wish.source ?? old?.source ?? '';
    const target = wish.target ?? old?.target ?? '';
    // What stays as it was is judged when it is used: whoever pauses or mends a rule must not be kept from it.
    if (source !== old?.source || target !== old.target) requireTarget({ source, target }, this.#insecureHosts);
    if (target === '' && !(wish.toClusters ?? old?.to_clusters !== 0))
      throw new DragonflyError('INVALID_ARGUMENT', 'a rule needs clusters, a target, or both');
    if (parseRuleSource(source)?.kind === 'hub' && (wish.onPush ?? old?.on_push === 1))
      throw new DragonflyError('INVALID_ARGUMENT', 'notifications are those of a registry', {
        hint: 'Give a rule for models an interval.',
      });
  }

  /** Throws UNAUTHENTICATED, whatever of rule and secret is wrong. */
  async verify(ruleId: number, secret: string): Promise<void> {
    const rule = Number.isSafeInteger(ruleId) ? await this.rules.get(ruleId).catch(() => undefined) : undefined;
    if (rule && this.rules.isSecret(rule, secret)) return;
    throw new DragonflyError('UNAUTHENTICATED', 'Unauthorized', {
      hint: 'Send the secret of the rule as Authorization: Bearer.',
    });
  }

  /** A registry reports pushed tags: those that the rule covers are looked up there. @returns how many they are. */
  async pushed(ruleId: number, tags: readonly NamedTag[]): Promise<number> {
    const rule = await this.rules.get(ruleId);
    if (rule.enabled === 0 || rule.on_push === 0) return 0;
    const covered = tags.filter((tag) => covers(rule, tag));
    if (covered.length === 0) return 0;
    const left = await this.copies.look(ruleId, covered, { all: false });
    if (left > 0) await this.rules.listed(ruleId, { error: `more than ${maxReplicatedTags} tags match the rule` });
    await this.#changes.write('replication', ruleId, () => Promise.resolve());
    return covered.length - left;
  }
}
