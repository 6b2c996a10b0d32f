/** What follows when the origin refuses or fails: who may ask it next, and when everybody is told its answer. */
import { isCredentialStatus } from '../../../core/net/origin-status.ts';
import type { OriginError } from '../../shared/events.ts';
import type { SwarmLimits } from '../limits.ts';
import type { OriginDesk } from './origin-desk.ts';
import { witnessOf, type Peer } from '../records.ts';
import { isDownloading } from '../states.ts';
import type { Refusals } from '../refusals.ts';

export interface OriginFailure {
  /** The origin has answered with a refusal. */
  readonly permanent: boolean;
  readonly error: OriginError;
  /** The lease that ends; all leases of the peer when absent. */
  readonly leaseId?: number | undefined;
}

export class OriginFailures {
  readonly #limits: SwarmLimits;
  readonly #origin: OriginDesk;
  readonly #refusals: Refusals;

  constructor(parts: { readonly limits: SwarmLimits; readonly origin: OriginDesk; readonly refusals: Refusals }) {
    this.#limits = parts.limits;
    this.#origin = parts.origin;
    this.#refusals = parts.refusals;
  }

  /** The caller settles the task afterwards. */
  take(peer: Peer, { permanent, error, leaseId }: OriginFailure, nowMs: number): void {
    const { task } = peer;
    task.lastOriginError = error;
    if (permanent && this.#isOneWord(peer)) {
      this.#origin.keepAway(peer, nowMs + this.#limits.quarantineMs);
      this.#origin.end(peer, nowMs, leaseId);
      return this.#refusals.failIfStranded(peer, error, nowMs);
    }
    // Only these credentials were refused: the origin works, and a peer with others may try at once.
    const refused = !permanent && isCredentialStatus(error.details?.statusCode ?? 0);
    // several holders fail together when the origin goes down; nobody is sent there during the pause, so that counts once
    if (!refused && nowMs >= task.quietUntilMs) task.originFailures += 1;
    const pauseMs = this.#limits.originRetryMs * 2 ** Math.max(0, task.originFailures - 1);
    if (!refused) task.quietUntilMs = Math.max(task.quietUntilMs, nowMs + pauseMs);
    this.#origin.keepAway(peer, nowMs + pauseMs);
    this.#origin.end(peer, nowMs, leaseId);
    if (permanent || task.originFailures >= this.#limits.originAttempts)
      this.#refusals.failStranded(task, error, nowMs);
    else if (refused) this.#refusals.failIfStranded(peer, error, nowMs);
  }

  /** A single member's report may be false: the member has its answer, and another one asks once more. A seed is believed. */
  #isOneWord({ task, host }: Peer): boolean {
    if (host.info.type === 'seed') return false;
    task.refusedBy.add(witnessOf(host));
    if (task.refusedBy.size > 1) return false;
    return [...task.peers.values()].some(
      (other) => isDownloading(other.state) && !other.disableBackToSource && !task.refusedBy.has(witnessOf(other.host)),
    );
  }
}
