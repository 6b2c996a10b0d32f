/**
 * Questions that several nodes have for an origin at the same time: one node asks, the others wait for its answer. An
 * answer may count for a while, and is kept longer, for times when the origin is away. The keys are digests; the
 * content of a proof concerns only the nodes.
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
  /** How long it still counts; 0 means for this question only. */
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
  /** Nodes whose turn ended before they reported anything: a slow origin's answer still counts when it comes. */
  readonly #late = new LRUCache<string, string>({ max: maxProofTurns, ttl: maxProofMs });
  readonly #told = new LRUCache<string, { readonly proof: Uint8Array; readonly untilMs: number }>({
    maxSize: maxProofsBytes,
    sizeCalculation: ({ proof }) => proof.length + 128,
    ttl: proofKeptMs,
  });

  /**
   * The known answer, or the one that the asking node will report. Undefined means: ask the origin, and report. A node
   * that has waited in vain asks for itself, because an answer that says nothing about others is valid for its caller
   * only.
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

  /** The last reported answer, even when it no longer counts; then its time is 0 ms. */
  last(key: string): ToldProof | undefined {
    const known = this.#told.get(key);
    return known && { proof: known.proof, ttlMs: Math.max(0, Math.floor(known.untilMs - performance.now())) };
  }

  /** Published without a question, for content that is open to everybody. */
  publish(key: string, { proof, ttlMs }: ToldProof): void {
    if (proof.length > maxProofBytes || ttlMs <= 0) return;
    this.#told.set(key, { proof, untilMs: performance.now() + Math.min(ttlMs, maxProofMs) });
  }

  /** Accepted only from the node whose turn it is, or was, so that no node can answer another's question. */
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

/** Cannot collide with a key of a question, because those are digests. */
export function openKey(key: string): string {
  return `open ${key}`;
}
