/** Proofs that origins gave to nodes of this cluster, shared through the scheduler that is responsible for them. */
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
   * The origin's answer that another node got to the same question, or undefined when this node has to ask the origin
   * itself. @param turnMs how long the others wait for the node that asks; 0 means the usual time @param openKey of the
   * same question without credentials, which a seed may have asked anonymously
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

  /** The last answer that any node reported, for when the origin cannot be asked. An expired one counts for 0 ms. */
  async last(key: string, signal: AbortSignal): Promise<{ proof: Uint8Array; ttlMs: number } | undefined> {
    const { ring, hostId } = this.#options;
    const request = { hostId, key, last: true, turnMs: 0 };
    const { proof, ttlMs } = await ring.call(key, (client) => client.askProof(request, { signal }), signal);
    return proof && { proof, ttlMs };
  }

  /** Called on a seed with the answer that it got without credentials. */
  async tellOpen(key: string, proof: Uint8Array, ttlMs: number): Promise<void> {
    const { ring, hostId, signal } = this.#options;
    await ring.call(key, (client) => client.tellProof({ hostId, key, proof, ttlMs, open: true }, { signal }), signal);
  }

  /** Reports the answer to a question that `ask` assigned to this node, to the scheduler that was asked. */
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
