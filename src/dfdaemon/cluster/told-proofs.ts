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
   * @param openKey of the same question without a credential, which a seed may have put as a stranger
   */
  async ask(
    key: string,
    { signal, turnMs, openKey }: Readonly<{ signal: AbortSignal; turnMs: number; openKey?: string | undefined }>,
  ): Promise<{ proof: Uint8Array; ttlMs: number; isOpen: boolean } | undefined> {
    const { ring, hostId } = this.#options;
    const request = { hostId, key, last: false, turnMs, openKey };
    const told = await ring.call(openKey ?? key, (client) => client.askProof(request, { signal }), signal);
    const { proof, ttlMs, open: isOpen } = told;
    return proof && { proof, ttlMs, isOpen };
  }

  /** The last answer that any node told, for when the origin cannot be asked; it counts for 0 ms where its time is over. */
  async last(key: string, signal: AbortSignal): Promise<{ proof: Uint8Array; ttlMs: number } | undefined> {
    const { ring, hostId } = this.#options;
    const request = { hostId, key, last: true, turnMs: 0 };
    const { proof, ttlMs } = await ring.call(key, (client) => client.askProof(request, { signal }), signal);
    return proof && { proof, ttlMs };
  }

  /** From a seed: what it was given as a stranger. */
  async tellOpen(key: string, proof: Uint8Array, ttlMs: number): Promise<void> {
    const { ring, hostId, signal } = this.#options;
    await ring.call(key, (client) => client.tellProof({ hostId, key, proof, ttlMs, open: true }, { signal }), signal);
  }

  /** Reports the result of a question that `ask` assigned to this node, at the scheduler that was asked. */
  async tell(
    key: string,
    {
      proof,
      ttlMs,
      openKey,
    }: Readonly<{ proof?: Uint8Array | undefined; ttlMs: number; openKey?: string | undefined }>,
  ): Promise<void> {
    const { ring, hostId, signal } = this.#options;
    const told = { hostId, key, proof, ttlMs, open: false };
    await ring.call(openKey ?? key, (client) => client.tellProof(told, { signal }), signal);
  }
}
