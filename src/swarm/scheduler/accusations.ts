/**
 * Which hosts are accused of sending corrupt pieces, and by whom; Liars acts on it. A single accuser could be lying, so one
 * accusation strikes nobody off. An accuser of several hosts that nobody else accuses counts against none of them.
 */
import type { SwarmLimits } from './limits.ts';
import { witnessOf, type Host } from './records.ts';

export class Accusations {
  readonly #limits: SwarmLimits;
  readonly #hosts: ReadonlyMap<string, Host>;

  constructor(limits: SwarmLimits, hosts: ReadonlyMap<string, Host>) {
    this.#limits = limits;
    this.#hosts = hosts;
  }

  /** Records the accusation. Returns the accusers that count, when they are enough to strike the host off. */
  accuse(accused: Host, by: Host, nowMs: number): readonly string[] | undefined {
    if (accused === by) return undefined;
    accused.accusedBy.set(by.id, nowMs);
    by.accuses.add(accused.id);
    const { accusersToQuarantine, quarantineMs } = this.#limits;
    for (const [id, atMs] of accused.accusedBy) if (nowMs - atMs > quarantineMs) this.#drop(accused, id);
    const counted = [...accused.accusedBy.keys()].filter((id) => this.counts(id, nowMs));
    const witnesses = new Set(counted.flatMap((id) => this.#hosts.get(id) ?? []).map(witnessOf));
    witnesses.delete(witnessOf(accused));
    return witnesses.size >= accusersToQuarantine ? counted : undefined;
  }

  /** The host is struck off; its accusers were right. */
  settle(accused: Host): void {
    for (const id of Array.from(accused.accusedBy.keys())) this.#drop(accused, id);
  }

  /** Its word has weight. */
  counts(accuserId: string, nowMs: number): boolean {
    const accuser = this.#hosts.get(accuserId);
    return (
      accuser !== undefined &&
      accuser.quarantinedUntilMs <= nowMs &&
      accuser.accuses.size <= this.#limits.openAccusations
    );
  }

  #drop(accused: Host, accuserId: string): void {
    accused.accusedBy.delete(accuserId);
    this.#hosts.get(accuserId)?.accuses.delete(accused.id);
  }
}
