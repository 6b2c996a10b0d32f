/** What origins told the nodes of this cluster, as the scheduler that keeps it hands it around. */
import type { SchedulerRing } from '../../rpc/scheduler-ring.ts';

export interface ToldProofsOptions {
  readonly ring: Pick<SchedulerRing, 'call'>;
  readonly hostId: string;
  /** Aborts when the daemon ends. */
  readonly signal: AbortSignal;
}

export class ToldProofs {
  readonly #options: ToldProofsOptions;

  constructor(options: ToldProofsOptions) {
    this.#options = options;
  }

  /**
   * An origin's answer to the same question of another node; undefined when this node has to ask.
   * @param turnMs how long the others wait for the one that asks; 0: as long as is usual
   */
  async ask(
    key: string,
    { signal, turnMs }: { readonly signal: AbortSignal; readonly turnMs: number },
  ): Promise<{ proof: Uint8Array; ttlMs: number } | undefined> {
    const { ring, hostId } = this.#options;
    const request = { hostId, key, last: false, turnMs, open: false };
    const { proof, ttlMs } = await ring.call(key, (client) => client.askProof(request, { signal }), signal);
    return proof && { proof, ttlMs };
  }

  /** The last answer that any node told, for when the origin cannot be asked; it counts for 0 ms where its time is over. */
  last(key: string, signal: AbortSignal): Promise<{ proof: Uint8Array; ttlMs: number } | undefined> {
    return this.#last(key, { open: false }, signal);
  }

  /** What a seed has told that is open to everybody. */
  open(key: string, signal: AbortSignal): Promise<{ proof: Uint8Array; ttlMs: number } | undefined> {
    return this.#last(key, { open: true }, signal);
  }

  /** From a seed: what it was given as a stranger. */
  async tellOpen(key: string, proof: Uint8Array, ttlMs: number): Promise<void> {
    const { ring, hostId, signal } = this.#options;
    await ring.call(key, (client) => client.tellProof({ hostId, key, proof, ttlMs, open: true }, { signal }), signal);
  }

  async #last(
    key: string,
    { open }: { readonly open: boolean },
    signal: AbortSignal,
  ): Promise<{ proof: Uint8Array; ttlMs: number } | undefined> {
    const { ring, hostId } = this.#options;
    const request = { hostId, key, last: true, turnMs: 0, open };
    const { proof, ttlMs } = await ring.call(key, (client) => client.askProof(request, { signal }), signal);
    return proof && { proof, ttlMs };
  }

  /** Reports the result of a question that `ask` assigned to this node. */
  async tell(key: string, proof: Uint8Array | undefined, ttlMs: number): Promise<void> {
    const { ring, hostId, signal } = this.#options;
    await ring.call(key, (client) => client.tellProof({ hostId, key, proof, ttlMs, open: false }, { signal }), signal);
  }
}
