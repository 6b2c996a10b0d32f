/**
 * Questions to origins that several nodes have at once: one of them asks, the others wait for what it is told. What is told may
 * count for a while, and is kept longer, for when the origin is away. The keys are digests; what a proof says is the nodes' own business.
 */
import { LRUCache } from 'lru-cache';
import { onAbort } from '../core/process/lifecycle.ts';
import {
  maxProofBytes,
  maxProofMs,
  maxProofTurnMs,
  maxProofTurns,
  maxProofsBytes,
  proofKeptMs,
  proofTurnMs,
} from './limits.ts';

export interface ToldProof {
  readonly proof: Uint8Array;
  /** How long it still counts; 0: for this question only. */
  readonly ttlMs: number;
}

/** Somebody is asking. */
interface Turn {
  readonly hostId: string;
  readonly over: PromiseWithResolvers<ToldProof | undefined>;
  readonly timer: NodeJS.Timeout;
}

export class ProofBoard {
  readonly #turns = new Map<string, Turn>();
  /** Whose turn ended before they told anything: a slow origin's word counts when it comes. */
  readonly #late = new LRUCache<string, string>({ max: maxProofTurns, ttl: maxProofMs });
  readonly #told = new LRUCache<string, { readonly proof: Uint8Array; readonly untilMs: number }>({
    maxSize: maxProofsBytes,
    sizeCalculation: ({ proof }) => proof.length + 128,
    ttl: proofKeptMs,
  });

  /**
   * What is known, or becomes known to the one who is asking. Undefined: ask the origin, and tell.
   * Whoever has waited in vain asks for himself: an answer that says nothing to others is each caller's own.
   */
  async ask(
    key: string,
    { hostId, signal, turnMs = 0 }: { hostId: string; signal: AbortSignal; turnMs?: number },
  ): Promise<ToldProof | undefined> {
    const known = this.#told.get(key);
    const ttlMs = known ? Math.floor(known.untilMs - performance.now()) : 0;
    if (known && ttlMs > 0) return { proof: known.proof, ttlMs };
    const running = this.#turns.get(key);
    if (!running) {
      if (this.#turns.size < maxProofTurns)
        this.#begin(key, hostId, turnMs === 0 ? proofTurnMs : Math.min(turnMs, maxProofTurnMs));
      return undefined;
    }
    if (running.hostId === hostId) return undefined;
    const gone = Promise.withResolvers<undefined>();
    using _leaving = onAbort(signal, () => gone.resolve(undefined));
    return await Promise.race([running.over.promise, gone.promise]);
  }

  /** What was told last, also when it no longer counts: then for 0 ms. */
  last(key: string): ToldProof | undefined {
    const known = this.#told.get(key);
    return known && { proof: known.proof, ttlMs: Math.max(0, Math.floor(known.untilMs - performance.now())) };
  }

  /** Of its own accord: what is open to everybody. */
  publish(key: string, { proof, ttlMs }: ToldProof): void {
    if (proof.length > maxProofBytes || ttlMs <= 0) return;
    this.#told.set(key, { proof, untilMs: performance.now() + Math.min(ttlMs, maxProofMs) });
  }

  /** Only from the one whose turn it is, or was, so that nobody can answer what another has asked. */
  tell(key: string, { hostId, proof, ttlMs }: { hostId: string; proof?: Uint8Array | undefined; ttlMs: number }): void {
    const isTurn = this.#turns.get(key)?.hostId === hostId;
    if (!isTurn && this.#late.get(key) !== hostId) return;
    this.#late.delete(key);
    const told = proof && proof.length <= maxProofBytes ? { proof, ttlMs: Math.min(ttlMs, maxProofMs) } : undefined;
    if (told && told.ttlMs > 0) this.#told.set(key, { proof: told.proof, untilMs: performance.now() + told.ttlMs });
    if (isTurn || told) this.#end(key, told);
  }

  #begin(key: string, hostId: string, turnMs: number): void {
    const timer = setTimeout(() => {
      this.#late.set(key, hostId);
      this.#end(key, undefined);
    }, turnMs).unref();
    this.#turns.set(key, { hostId, over: Promise.withResolvers(), timer });
  }

  #end(key: string, told: ToldProof | undefined): void {
    const turn = this.#turns.get(key);
    if (!turn) return;
    clearTimeout(turn.timer);
    this.#turns.delete(key);
    turn.over.resolve(told);
  }
}

/** No key that somebody is asked about: those are digests. */
export function openKey(key: string): string {
  return `open ${key}`;
}
