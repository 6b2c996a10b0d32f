/**
 * The hub's answers, shared among all nodes and callers that it answers alike: equal questions of a cluster are put
 * once at a time, an answer counts for a while, and while the hub is unreachable or asks for a pause, its last answer
 * is used.
 */
import type { z } from 'zod';
import { toDragonflyError } from '../../../core/errors.ts';
import { isTemporaryStatus } from '../../../core/net/origin-status.ts';
import type { ClientCall } from '../client-call.ts';
import { retryAfterMs } from '../../source/http/retry-after.ts';
import { proxyLimits } from '../limits.ts';
import type { AnswerHeader } from '../proof/answer-header.ts';
import { flat } from '../proof/answer-header.ts';
import type { SharedProofs } from '../proof/shared-proofs.ts';
import { sharedRequest } from '../proof/shared-request.ts';

export interface HubQuestion<Told> {
  /** All that distinguishes the question from others, besides the caller and the URL. */
  readonly parts: readonly string[];
  readonly schema: z.ZodType<Told>;
  readonly ttlMs: number;
}

export interface HubWordsOptions {
  readonly shared: SharedProofs;
  /** Other nodes are believed about what the hub said. */
  readonly believed: boolean;
  /** How long an answer about a commit counts, and one about branches, tags and lists. */
  readonly commitTtlMs: number;
  readonly ttlMs: number;
}

/** A hub that could not be reached is not asked again for this long, where an earlier answer exists. */
const awayMs = 5_000;
const maxPauseMs = 60_000;
/** Clients of the hub give up after ten seconds, and a hub may need most of that to list its content. */
const turnMs = 7_000;

export class HubWords {
  readonly #options: HubWordsOptions;
  #pausedUntilMs = 0;
  #changedMs = Number.NEGATIVE_INFINITY;

  constructor(options: HubWordsOptions) {
    this.#options = options;
  }

  /** How long an answer counts. @param commit whether its URL names a commit */
  ttlMs(commit: boolean): number {
    return commit ? this.#options.commitTtlMs : this.#options.ttlMs;
  }

  /** Asking now would fail, or the hub has asked for a pause. */
  get isPaused(): boolean {
    return performance.now() < this.#pausedUntilMs;
  }

  /** Answers from before this moment may be outdated: a client of this node has changed something since. */
  get changedMs(): number {
    return this.#changedMs;
  }

  /** Something was changed at the hub through this node; other nodes may go on with what they know for `ttl`. */
  changed(): void {
    this.#changedMs = performance.now();
  }

  /** One node asks for all that have this question with this credential. Rejects as `ask` does. */
  async once<Own, Told>(
    call: ClientCall,
    { schema, ttlMs, ...question }: HubQuestion<Told>,
    { ask, told }: { readonly ask: () => Promise<Own>; readonly told: (own: Own) => Told | undefined },
  ): Promise<{ readonly own: Own; readonly told?: undefined } | { readonly told: Told; readonly ttlMs: number }> {
    const recent = performance.now() < this.#changedMs + this.#options.ttlMs;
    if (recent) return { own: await ask() };
    return this.#options.shared.once({
      ...this.#asked(call, question.parts),
      schema,
      turnMs,
      ask,
      told: (own) => {
        const value = told(own);
        return value === undefined ? undefined : { value, ttlMs };
      },
    });
  }

  /** The hub's last answer to any node, for this credential. */
  last<Told>(call: ClientCall, { parts, schema }: HubQuestion<Told>): Promise<Told | undefined> {
    return this.#options.shared.last({ ...this.#asked(call, parts), schema });
  }

  /** Shares the hub's answer to this caller with other nodes, for when the hub cannot be asked. */
  tell<Told>(call: ClientCall, { parts, schema, ttlMs }: HubQuestion<Told>, value: Told): void {
    this.#options.shared.tell({ ...this.#asked(call, parts), schema }, { value, ttlMs });
  }

  /** A question has failed. Returns whether an earlier answer still counts: not when the client has left. */
  failed(error: unknown): boolean {
    if (toDragonflyError(error).code === 'CANCELLED') return false;
    this.#pausedUntilMs = performance.now() + awayMs;
    return true;
  }

  /** Returns whether the answer only says that the hub cannot answer now. */
  refusedAll(statusCode: number, header: AnswerHeader): boolean {
    if (!isTemporaryStatus(statusCode)) return false;
    const told = flat(header);
    const askedMs = retryAfterMs(told) ?? (told['retry-after'] === undefined ? rateLimitMs(told) : awayMs);
    const pauseMs = Math.min(askedMs, maxPauseMs);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, performance.now() + pauseMs);
    return true;
  }

  #asked({ url, header }: ClientCall, parts: readonly string[]) {
    const named = Object.entries(header).filter(([name]) => name === 'authorization' || name === 'cookie');
    const asked = { kind: 'hub', url, header: Object.fromEntries(named), more: parts, dependsOn: 'rights' as const };
    return { byDigest: false, believed: this.#options.believed, ...sharedRequest(asked) };
  }
}

/** When a spent quota is renewed, as `RateLimit: "api";r=0;t=55` tells; 0 where nothing is said. */
function rateLimitMs({ ratelimit = '' }: Readonly<Record<string, string>>): number {
  return Number(/;\s*r=0\s*;\s*t=(\d{1,6})\b/.exec(ratelimit)?.[1] ?? 0) * 1000;
}

/** Largest answer that is shared with other nodes. */
export const toldBytes = proxyLimits.sharedManifestBytes;
