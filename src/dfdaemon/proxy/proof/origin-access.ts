/**
 * Who may read what: content of the peers is served only to callers that the origin accepts.
 *
 * Three proofs count, each for a limited time and one caller: a manifest that the origin delivered grants the digests
 * it names, within its repository; a question to the origin about an object grants that object; and what anonymous
 * callers may read, everybody may. When the origin cannot be asked, the configuration decides.
 */
import { LRUCache } from 'lru-cache';
import { DragonflyError } from '../../../core/errors.ts';
import { proxyLimits } from '../limits.ts';

export interface Challenge {
  readonly statusCode: number;
  readonly header: Readonly<Record<string, string>>;
}

export interface OriginAccessOptions {
  readonly ttlMs: number;
  readonly whenOriginDown: 'deny' | 'allow';
}

export interface AccessQuestion {
  /** The registry and repository, or the host, within which a refusal of the origin is remembered. */
  readonly scope: string;
  /** The object: a digest inside a registry, otherwise URL and content. */
  readonly object: string;
  readonly caller: string;
}

export class OriginAccess {
  readonly #options: OriginAccessOptions;
  readonly #grants: LRUCache<string, ReadonlySet<string>>;
  readonly #proofs: LRUCache<string, true>;
  readonly #challenges: LRUCache<string, Challenge>;
  /** Scopes whose origin was asked what it tells anonymous callers. */
  readonly #asked: LRUCache<string, true>;

  constructor(options: OriginAccessOptions) {
    this.#options = options;
    const ttl = Math.max(1, options.ttlMs); // 0 means "for ever" to the cache
    this.#grants = new LRUCache({
      maxSize: proxyLimits.grantedDigests,
      sizeCalculation: (digests) => Math.max(1, digests.size),
      ttl,
    });
    this.#proofs = new LRUCache({ max: proxyLimits.proofs, ttl });
    this.#challenges = new LRUCache({ max: proxyLimits.challenges });
    this.#asked = new LRUCache({ max: proxyLimits.challenges, ttl: proxyLimits.strangerAgainMs });
  }

  /** The origin delivered a manifest to this caller, so the caller may read what it names in the same repository. */
  grant(scope: string, caller: string, digests: readonly string[]): void {
    const key = keyOf(scope, caller);
    const known = this.#grants.get(key);
    this.#grants.set(key, new Set([...(known ?? []), ...digests].slice(-maxDigestsPerCaller)));
  }

  /** The object may be gone, or somebody else's: no proof of it counts any more. */
  forget(scope: string, object: string): void {
    for (const [key, digests] of this.#grants.entries()) {
      if (!key.startsWith(`${scope}\n`) || !digests.has(object)) continue;
      const others = new Set([...digests].filter((digest) => digest !== object));
      this.#grants.set(key, others, { noUpdateTTL: true }); // nobody has proven anything
    }
    for (const key of this.#proofs.keys())
      if (key.startsWith(`${scope}\n`) && key.endsWith(`\n${object}`)) this.#proofs.delete(key);
  }

  /** The caller has a proof, so the origin need not be asked. */
  isGranted({ scope, object, caller }: AccessQuestion): boolean {
    return [caller, ''].some(
      (who) => this.#grants.get(keyOf(scope, who))?.has(object) === true || this.#proofs.has(keyOf(scope, who, object)),
    );
  }

  /** The caller may read something in this scope. */
  hasGrants(scope: string, caller: string): boolean {
    return [caller, ''].some((who) => this.#grants.has(keyOf(scope, who)));
  }

  /** The origin refused somebody: its answer is repeated to anonymous callers while it is unreachable. */
  remember(scope: string, challenge: Challenge): void {
    if (challenge.statusCode !== 401 && challenge.statusCode !== 403) return;
    const size = Object.entries(challenge.header).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    if (size <= proxyLimits.challengeBytes) this.#challenges.set(scope, challenge);
  }

  /** Asks once what anonymous callers are told, since nobody can ask while the origin is unreachable. Nothing waits for the answer. */
  learnRefusal(scope: string, ask: () => Promise<Challenge>): void {
    if (this.#challenges.has(scope) || this.#asked.has(scope)) return;
    this.#asked.set(scope, true);
    ask().then(
      (answer) => this.remember(scope, answer),
      () => this.#asked.delete(scope),
    );
  }

  /** The origin's answer to this caller named the object. @param ttlMs remaining time of an older proof */
  prove({ scope, object, caller }: AccessQuestion, ttlMs = this.ttlMs): void {
    this.#proofs.set(keyOf(scope, caller, object), true, { ttl: Math.max(1, Math.min(ttlMs, this.ttlMs)) });
  }

  /** How long a proof counts. */
  get ttlMs(): number {
    return this.#options.ttlMs;
  }

  get servesEverybodyWithoutOrigin(): boolean {
    return this.#options.whenOriginDown === 'allow';
  }

  /** This caller may have the object although the origin cannot be asked. */
  servesWithoutOrigin(question: AccessQuestion): boolean {
    return this.servesEverybodyWithoutOrigin || this.isGranted(question);
  }

  /**
   * For a caller without a proof while the origin is unreachable: returns, or throws SOURCE_STATUS with what the origin
   * last told anonymous callers, UNAVAILABLE when that is unknown.
   */
  whileDown(scope: string, cause: unknown): void {
    if (this.#options.whenOriginDown === 'allow') return;
    const challenge = this.#challenges.get(scope);
    if (challenge) {
      throw new DragonflyError('SOURCE_STATUS', 'the origin is down and has not accepted this caller before', {
        cause,
        details: { statusCode: challenge.statusCode, header: challenge.header },
      });
    }
    throw new DragonflyError('UNAVAILABLE', 'the origin cannot be asked whether this caller may read the content', {
      cause,
      hint: 'Set proxy.access.whenOriginDown to allow if content may be served to anyone in that case.',
    });
  }
}

/** A typical manifest names some dozens of digests, an index of many platforms some hundreds. */
const maxDigestsPerCaller = 10_000;

/** The error says nothing about this caller: the origin is unreachable or has failed itself. */
export function originIsDown(error: DragonflyError): boolean {
  if (error.code === 'SOURCE_STATUS') return (error.details?.statusCode ?? 0) >= 500;
  return error.code === 'SOURCE_UNREACHABLE' || error.code === 'DEADLINE_EXCEEDED' || error.code === 'PROTOCOL';
}

function keyOf(...parts: readonly string[]): string {
  return parts.join('\n');
}
