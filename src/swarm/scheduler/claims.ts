/**
 * Content that peers say they hold although nobody was sent to the origin for it: after a restart of the scheduler the
 * honest truth, and the way a liar would spread a file of his own. Children are told, and compare a part with the origin.
 */
import type { SwarmLimits } from './limits.ts';
import type { Membership } from './membership.ts';
import type { Host, Peer } from './records.ts';

export class Claims {
  readonly #limits: SwarmLimits;
  readonly #membership: Membership;

  constructor(limits: SwarmLimits, membership: Membership) {
    this.#limits = limits;
    this.#membership = membership;
  }

  /** The peer holds pieces that nobody of this swarm gave it. A seed is believed: the operator has set it up for that. */
  claimed({ task, host }: Peer): void {
    if (host.info.type === 'seed' || task.proof === 'origin') return;
    task.proof = 'claimed';
    task.claimants.add(host.id);
  }

  /** A claimant cannot confirm itself. */
  confirmed({ task, host }: Peer): void {
    if (task.proof !== 'claimed' || task.claimants.has(host.id)) return;
    task.confirmers.add(host.id);
    if (task.confirmers.size >= this.#limits.confirmersToBelieve) task.proof = 'origin';
  }

  /** It gave wrong bytes. What it holds of a claimed task counts no longer: at worst the origin is asked once more. */
  refuted(parent: Peer, by: Host, nowMs: number): void {
    const { task } = parent;
    this.#membership.accuse(parent.host, by, nowMs);
    if (task.proof !== 'claimed' || parent.host.info.type === 'seed') return;
    this.#membership.remove(parent, nowMs);
    task.confirmers.clear();
    if (task.peers.size > 1 || task.leases.size > 0) return;
    // Nobody is left but the one who has found out: the length may have been a lie, too.
    task.layout = undefined;
    task.pieceCount = undefined;
    task.proof = 'none';
    task.claimants.clear();
  }
}
