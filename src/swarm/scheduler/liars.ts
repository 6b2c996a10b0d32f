/**
 * What becomes of hosts that send corrupt pieces or false digests: once that is certain, nobody gets anything from them any more
 * or believes what they told. Accusations counts who says so.
 */
import { Accusations } from './accusations.ts';
import type { DigestDesk, Doubt } from './digest-desk.ts';
import type { SwarmLimits } from './limits.ts';
import type { Membership } from './membership.ts';
import type { Outbox } from './outbox.ts';
import type { Host, Peer, Task } from './records.ts';
import type { Roster } from './roster.ts';

export interface LiarsParts {
  readonly limits: SwarmLimits;
  readonly roster: Roster;
  readonly out: Outbox;
  readonly membership: Membership;
  readonly digests: DigestDesk;
}

export interface CorruptPiece {
  readonly parentId: string;
  readonly by: Peer;
  readonly piece: number | undefined;
}

export class Liars {
  readonly #parts: LiarsParts;
  readonly #accusations: Accusations;

  constructor(parts: LiarsParts) {
    this.#parts = parts;
    this.#accusations = new Accusations(parts.limits, parts.roster.hosts);
  }

  /**
   * The peer received a corrupt piece from this parent; accusations of a host that is not its parent are ignored.
   * `open` while the digest of the piece is uncertain; `void` when the accusation does not count.
   */
  gaveCorrupt({ parentId, by, piece }: CorruptPiece, nowMs: number): 'counts' | 'open' | 'void' {
    const isParent = by.parents.has(parentId) || by.blocked.has(parentId);
    const present = isParent ? this.#parts.roster.peers.get(parentId)?.host : undefined;
    const accused = present ?? by.leftParents.get(parentId);
    if (!accused) return 'void';
    if (piece !== undefined && this.#parts.digests.doubt(by, { piece, accused }, nowMs)) return 'open';
    this.#accuse(accused, by.host, nowMs);
    return this.#accusations.counts(by.host.id, nowMs) ? 'counts' : 'void';
  }

  /** The digest is confirmed: whoever gave other bytes sent a corrupt piece. */
  confirmed({ accused, by }: Doubt, nowMs: number): void {
    this.#accuse(accused, by, nowMs);
  }

  /** The host sent a false digest. Contradiction by a seed is enough. */
  toldFalseDigest(hostId: string, against: readonly string[], nowMs: number): void {
    const { hosts } = this.#parts.roster;
    const accused = hosts.get(hostId);
    if (!accused || accused.quarantinedUntilMs > nowMs) return;
    const accusers = against.flatMap((id) => hosts.get(id) ?? []);
    const seed = accusers.find(({ info }) => info.type === 'seed');
    if (seed) return this.#strikeOff(accused, [seed.id], nowMs);
    for (const by of accusers) this.#accuse(accused, by, nowMs);
  }

  /** On the word of a trusted party. @returns the tasks that involved the host. */
  strikeOff(hostId: string, nowMs: number): Set<Task> {
    const { roster, limits } = this.#parts;
    const host = roster.hosts.get(hostId);
    if (host) return this.#withdraw(host, nowMs);
    roster.remember(hostId, nowMs + limits.quarantineMs, nowMs);
    return new Set();
  }

  #accuse(accused: Host, by: Host, nowMs: number): void {
    if (accused.quarantinedUntilMs > nowMs) return;
    const accusers = this.#accusations.accuse(accused, by, nowMs);
    if (accusers) this.#strikeOff(accused, accusers, nowMs);
  }

  #strikeOff(accused: Host, accusers: readonly string[], nowMs: number): void {
    // A host that has left is remembered for when it comes back.
    if (this.#parts.roster.hosts.get(accused.id) === accused) this.#withdraw(accused, nowMs);
    else this.strikeOff(accused.id, nowMs);
    const { hosts } = this.#parts.roster;
    const [peer] = [accused, ...accusers.flatMap((id) => hosts.get(id) ?? [])].flatMap(({ peers }) => [...peers]);
    if (peer) this.#parts.out.send(peer, { kind: 'host-struck-off', hostId: accused.id, accusers });
  }

  /** Nobody gets anything from the host any more, and what it reported no longer counts. */
  #withdraw(host: Host, nowMs: number): Set<Task> {
    const { membership, digests } = this.#parts;
    this.#accusations.settle(host);
    membership.strikeOff(host, nowMs);
    const tasks = new Set(Array.from(host.peers, ({ task }) => task));
    digests.withdraw(host, tasks, nowMs);
    return tasks;
  }
}
