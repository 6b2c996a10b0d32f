/**
 * What the hub says, for all nodes and callers it says the same to: equal questions of a cluster are put once at a time, an
 * answer counts for a while, and while the hub is away or asks for a pause, the last one is what is known.
 */
import type { z } from 'zod';
import { toDragonflyError } from '../../../core/errors.ts';
import { isTemporaryStatus } from '../../../core/net/origin-status.ts';
import type { ClientCall } from '../client-call.ts';
import { proxyLimits } from '../limits.ts';
import type { AnswerHeader } from '../proof/answer-header.ts';
import { flat } from '../proof/answer-header.ts';
import type { SharedProofs } from '../proof/shared-proofs.ts';

export interface HubQuestion<Told> {
  /** With the caller and the URL, all that tells it from other questions. */
  readonly parts: readonly string[];
  readonly schema: z.ZodType<Told>;
  readonly ttlMs: number;
}

export interface HubWordsOptions {
  readonly shared: SharedProofs;
  /** Members are believed about what the hub said. */
  readonly believed: boolean;
  /** How long its word holds about what never changes, and about branches, tags and lists. */
  readonly commitTtlMs: number;
  readonly ttlMs: number;
}

/** A hub that could not be reached is left alone for so long, where something is known without it. */
const awayMs = 5_000;
const maxPauseMs = 60_000;
/** Its clients wait for ten seconds; a hub may take most of them to list what it has. */
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

  /** Asking now is in vain, or is what the hub asked not to do. */
  get isPaused(): boolean {
    return performance.now() < this.#pausedUntilMs;
  }

  /** What was known before this moment may have been changed by a client of this node. */
  get changedMs(): number {
    return this.#changedMs;
  }

  /** Something was changed at the hub by way of this node: others may go on with what they know for `ttl`. */
  changed(): void {
    this.#changedMs = performance.now();
  }

  /** Put by one node for all that have this question with this credential. Rejects as `ask` does. */
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

  /** What any node was told last by the hub, with this credential. */
  last<Told>(call: ClientCall, { parts, schema }: HubQuestion<Told>): Promise<Told | undefined> {
    return this.#options.shared.last({ ...this.#asked(call, parts), schema });
  }

  /** Tells other nodes what the hub said to this caller, for when it cannot be asked. */
  tell<Told>(call: ClientCall, { parts, schema, ttlMs }: HubQuestion<Told>, value: Told): void {
    this.#options.shared.tell({ ...this.#asked(call, parts), schema }, { value, ttlMs });
  }

  /** A question has failed. Returns whether what is known counts on: not for a client that has left. */
  failed(error: unknown): boolean {
    if (toDragonflyError(error).code === 'CANCELLED') return false;
    this.#pausedUntilMs = performance.now() + awayMs;
    return true;
  }

  /** Returns whether the answer says nothing but that the hub cannot answer now. */
  refusedAll(statusCode: number, header: AnswerHeader): boolean {
    if (!isTemporaryStatus(statusCode)) return false;
    const seconds = Number(flat(header)['retry-after'] ?? 0);
    const pauseMs = Number.isFinite(seconds) ? Math.min(seconds * 1000, maxPauseMs) : awayMs;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, performance.now() + pauseMs);
    return true;
  }

  #asked({ url, header }: ClientCall, parts: readonly string[]) {
    const named = Object.entries(header).filter(([name]) => name === 'authorization' || name === 'cookie');
    return {
      byDigest: false,
      believed: this.#options.believed,
      parts: ['hub', url.href, ...parts],
      url,
      header: Object.fromEntries(named),
    };
  }
}

/** What an answer may have to be told to other nodes. */
export const toldBytes = proxyLimits.sharedManifestBytes;
