/**
 * Content that peers claim to hold although nobody was sent to the origin for it. After a restart of the scheduler that
 * is the honest truth, but also how a liar would spread a file of its own. So children are told, and compare a part
 * with the origin.
 */
import { cameWithout, type DigestDesk } from './digest-desk.ts';
import type { SwarmLimits } from './limits.ts';
import type { Membership } from './membership.ts';
import type { PieceSet } from '../shared/piece-set.ts';
import { witnessOf, type Peer } from './records.ts';
import { isDownloading } from './states.ts';

export class Claims {
  readonly #limits: SwarmLimits;
  readonly #membership: Membership;
  readonly #digests: DigestDesk;

  constructor(limits: SwarmLimits, membership: Membership, digests: DigestDesk) {
    this.#limits = limits;
    this.#membership = membership;
    this.#digests = digests;
  }

  /** The peer has new pieces: from a peer, its own disk (`local`) or the origin (`source`). */
  reported(peer: Peer, pieces: PieceSet, from: string): void {
    if (from === 'local') return this.claimed(peer);
    if (from !== 'source') return;
    // It went to the origin on its own, or sends no digests, so children cannot wait for them.
    for (const piece of peer.features.digests ? pieces : [])
      if (!peer.fetched.has(piece)) return cameWithout(peer.task);
  }

  /** The peer holds pieces that nobody in this swarm gave it. A seed is believed, since the operator has set it up for that. */
  claimed({ task, host }: Peer): void {
    cameWithout(task);
    if (host.info.type === 'seed' || task.proof === 'origin') return;
    task.proof = 'claimed';
    task.claimants.add(witnessOf(host));
  }

  /** A host cannot confirm its own claim. */
  confirmed({ task, host }: Peer): void {
    if (task.proof !== 'claimed' || task.claimants.has(witnessOf(host))) return;
    task.confirmers.add(witnessOf(host));
    if (task.confirmers.size >= this.#limits.confirmersToBelieve) task.proof = 'origin';
  }

  /**
   * The host sent corrupt pieces. Its pieces of a claimed task no longer count: at worst the origin is asked once more.
   * A peer that is still downloading and has claimed nothing may have been given them, or be falsely accused: it
   * continues, and stays heard.
   */
  refuted(parent: Peer, nowMs: number): void {
    const { task, host } = parent;
    if (task.proof !== 'claimed' || host.info.type === 'seed') return;
    if (isDownloading(parent.state) && !task.claimants.has(witnessOf(host)))
      return this.#membership.voidPieces(parent, nowMs);
    this.#membership.remove(parent, nowMs);
    task.confirmers.clear();
    if (task.peers.size > 1 || task.leases.size > 0) return;
    // Only the peer that found out keeps its pieces: the length may have been false, too.
    task.layout = undefined;
    task.pieceCount = undefined;
    task.proof = 'none';
    task.claimants.clear();
    this.#digests.forget(task);
  }
}
