/** Tags on their way from this process to the registries that rules name. */
import { toDragonflyError } from '../../core/errors.ts';
import { RateLimiter } from '../../core/rate-limiter.ts';
import type { RegistryClient } from '../../rpc/registry/registry-client.ts';
import type { CopyRow, TagRow } from './copy-store.ts';
import type { CopyOutcome } from './outcome.ts';
import { RegistryRepository } from './registry-repository.ts';
import { RegistryTags } from './registry-tags.ts';
import { RuleBlobs } from './rule-blobs.ts';
import { parseRuleSource, requireTarget, targetRepository } from './rule-source.ts';
import type { RuleRow } from './rule-row.ts';
import type { RuleStore } from './rule-store.ts';
import { pushTag } from './tag-push.ts';

interface Running {
  readonly ruleId: number;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

export interface PushesParts {
  readonly registry: RegistryClient;
  readonly rules: RuleStore;
  /** Hosts to which tags may be pushed without TLS. */
  readonly insecureHosts: readonly string[];
  /** Never rejects. */
  readonly onEnd: (end: PushEnd) => Promise<void>;
}

export interface PushEnd {
  readonly rule: RuleRow;
  readonly copy: CopyRow;
  /** Undefined when it was stopped: somebody else goes on. */
  readonly outcome: CopyOutcome | undefined;
  readonly error?: unknown;
}

export class Pushes {
  readonly #parts: PushesParts;
  /** By the copy's id. */
  readonly #running = new Map<number, Running>();
  /** By the rule's id, for as long as one of its tags is on the way: they share the bound of its rate, and blobs. */
  readonly #ways = new Map<number, { readonly rate: RateLimiter; readonly blobs: RuleBlobs }>();

  constructor(parts: PushesParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#running.size;
  }

  has(copyId: number): boolean {
    return this.#running.has(copyId);
  }

  begin(rule: RuleRow, copy: CopyRow, tag: TagRow): void {
    const abort = new AbortController();
    const ended = this.#push(rule, copy, tag, abort.signal).finally(() => {
      this.#running.delete(copy.id);
      if (![...this.#running.values()].some(({ ruleId }) => ruleId === rule.id)) this.#ways.delete(rule.id);
    });
    this.#running.set(copy.id, { ruleId: rule.id, abort, ended });
  }

  /** Those of a rule that nobody waits for any more are stopped. */
  keepOnly(rule: RuleRow, copies: readonly CopyRow[]): void {
    const wanted = new Set(rule.enabled === 1 ? copies.map(({ id }) => id) : []);
    for (const [id, { ruleId, abort }] of this.#running) if (ruleId === rule.id && !wanted.has(id)) abort.abort();
    this.#ways.get(rule.id)?.rate.setRate(rateOf(rule));
  }

  /** Those of rules that are gone are stopped. */
  keepRules(ids: ReadonlySet<number>): void {
    for (const { ruleId, abort } of this.#running.values()) if (!ids.has(ruleId)) abort.abort();
  }

  /** Somebody else goes on with all of them. */
  stopAll(): void {
    for (const { abort } of this.#running.values()) abort.abort();
  }

  async stop(): Promise<void> {
    this.stopAll();
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  async #push(rule: RuleRow, copy: CopyRow, tag: TagRow, signal: AbortSignal): Promise<void> {
    const { onEnd } = this.#parts;
    try {
      const outcome = await this.#outcome(rule, tag, signal);
      await onEnd({ rule, copy, outcome });
    } catch (error) {
      const outcome = { digest: '', bytes: 0, proven: false, error: toDragonflyError(error).message };
      await onEnd({ rule, copy, outcome: signal.aborted ? undefined : outcome, error });
    }
  }

  async #outcome(rule: RuleRow, { repository, tag, digest }: TagRow, signal: AbortSignal): Promise<CopyOutcome> {
    const { registry, rules, insecureHosts } = this.#parts;
    // Whatever was allowed when the rule was written.
    requireTarget(rule, insecureHosts);
    const source = parseRuleSource(rule.source);
    if (source?.kind !== 'registry') throw new TypeError('a rule whose source is no registry has no target');
    const way = this.#ways.get(rule.id) ?? { rate: new RateLimiter(rateOf(rule)), blobs: new RuleBlobs() };
    this.#ways.set(rule.id, way);
    const target = new RegistryRepository(registry, targetRepository(rule.target, repository), {
      login: rules.targetLogin(rule),
      actions: 'pull,push',
    });
    const from = new RegistryTags(registry, source.pattern, rules.login(rule)).repository(repository);
    return pushTag({ source: from, target, tag, digest, rate: way.rate, signal }, way.blobs);
  }
}

function rateOf({ rate_bytes_per_sec: rate }: RuleRow): number {
  return rate === 0 ? Infinity : rate;
}
