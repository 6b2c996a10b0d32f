/** The decisions of one event, in order. Offers to the same peer are joined into one message. */
import type { Decision, OfferedParent } from '../shared/decisions.ts';
import type { Peer } from './records.ts';

type Content<T> = T extends unknown ? Omit<T, 'peerId' | 'taskId'> : never;

export class Outbox {
  #decisions: Decision[] = [];
  readonly #offers = new Map<Peer, OfferedParent[]>();
  readonly #withdrawn = new Map<Peer, string[]>();

  send(peer: Peer, decision: Content<Decision>): void {
    this.#decisions.push({ ...decision, peerId: peer.id, taskId: peer.task.id });
  }

  offer(child: Peer, parent: OfferedParent): void {
    const offers = this.#offers.get(child);
    if (offers) offers.push(parent);
    else this.#offers.set(child, [parent]);
  }

  withdraw(child: Peer, parentId: string): void {
    const withdrawn = this.#withdrawn.get(child);
    if (withdrawn) withdrawn.push(parentId);
    else this.#withdrawn.set(child, [parentId]);
  }

  /** Withdrawals first, offers last: a lease or a layout sent by the same event is known before parents arrive. */
  drain(): Decision[] {
    const decisions = this.#decisions;
    this.#decisions = [];
    for (const [child, parentIds] of this.#withdrawn) {
      if (child.features.exchange)
        decisions.unshift({ kind: 'withdraw-parents', peerId: child.id, taskId: child.task.id, parentIds });
    }
    for (const [child, offered] of this.#offers) {
      const parents = offered.filter((parent) => child.parents.has(parent.peerId));
      if (parents.length === 0) continue;
      decisions.push({
        kind: 'offer-parents',
        peerId: child.id,
        taskId: child.task.id,
        parents,
        replace: !child.features.exchange,
      });
    }
    this.#withdrawn.clear();
    this.#offers.clear();
    return decisions;
  }
}
