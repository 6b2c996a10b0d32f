/** The origin leases of all tasks: grants, changes and ends them, and tells their holders. OriginDesk and ReaderDesk decide. */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { LeaseRange } from '../../shared/decisions.ts';
import type { SwarmLimits } from '../limits.ts';
import type { Outbox } from '../outbox.ts';
import type { Lease, Peer, Task } from '../records.ts';
import { peerCan, nextPeerState } from '../states.ts';

const mostDoublings = 4;

interface LeaseBookParts {
  readonly limits: SwarmLimits;
  readonly out: Outbox;
  /** Called when a lease of a peer began or ended. */
  readonly rootChanged: (peer: Peer, nowMs: number) => void;
  readonly wakeAt: (task: Task, atMs: number) => void;
  readonly leaseGiven: (holder: Peer) => void;
}

interface Grant {
  readonly nowMs: number;
  /** Bytes that a reader of the holder waits for. */
  readonly readerRange?: RangeSpec | undefined;
  readonly rescue?: boolean;
}

export class LeaseBook {
  readonly #parts: LeaseBookParts;
  #nextId = 1;

  constructor(parts: LeaseBookParts) {
    this.#parts = parts;
  }

  grant(holder: Peer, range: LeaseRange, { nowMs, readerRange, rescue = false }: Grant): void {
    // An origin that was silent to others gets more time from each, or it would be asked for ever in vain.
    const patience = 2 ** Math.min(holder.task.originSilences, mostDoublings);
    const expiresAtMs = nowMs + patience * stallMs(holder, this.#parts.limits);
    const lease: Lease = {
      id: this.#nextId,
      holder,
      range,
      readerRange,
      rescue,
      grantedAtMs: nowMs,
      answeredAtMs: undefined,
      expiresAtMs,
      pulse: undefined,
    };
    this.#nextId += 1;
    holder.task.leases.set(lease.id, lease);
    holder.fetched.add(range);
    this.#parts.leaseGiven(holder);
    if (holder.task.proof === 'none') holder.task.proof = 'origin';
    if (readerRange) holder.readerLeases.add(lease);
    else holder.lease = lease;
    if (peerCan(holder.state, 'DownloadBackToSource'))
      holder.state = nextPeerState(holder.state, 'DownloadBackToSource');
    this.#parts.wakeAt(holder.task, expiresAtMs);
    this.#announce(lease);
    this.#parts.rootChanged(holder, nowMs);
  }

  /** Allows a peer to fetch bytes whose pieces come another way: it excludes nobody, and covers no pieces. */
  grantReaderOnly(peer: Peer, readerRange: RangeSpec, nowMs: number): void {
    this.#parts.out.send(peer, {
      kind: 'grant-origin-lease',
      leaseId: this.#nextId,
      range: { first: 0, end: 0 },
      wholeTask: false,
      readerRange,
      expiresAtMs: nowMs + this.#parts.limits.leaseStallMs,
    });
    this.#nextId += 1;
  }

  change(lease: Lease, range: LeaseRange, readerRange = lease.readerRange): void {
    lease.range = range;
    lease.holder.fetched.add(range);
    lease.readerRange = lease.readerRange && readerRange;
    this.#announce(lease);
  }

  /** The pieces now belong to other leases; the holder continues with the bytes its reader waits for. */
  toReaderOnly(lease: Lease, readerRange: RangeSpec | undefined): void {
    this.change(lease, { first: 0, end: 0 }, readerRange);
    lease.holder.task.leases.delete(lease.id);
    lease.holder.readerLeases.delete(lease);
  }

  /** The range that a reader waited for turns out to be the whole content. */
  toWhole(lease: Lease): void {
    const { holder } = lease;
    holder.readerLeases.delete(lease);
    holder.lease = lease;
    lease.readerRange = undefined;
    this.change(lease, { first: 0, end: holder.task.pieceCount });
  }

  /** Takes the lease away; the caller settles the task afterwards. */
  end(lease: Lease, nowMs: number): void {
    const { holder, id } = lease;
    holder.task.leases.delete(id);
    if (!holder.readerLeases.delete(lease) && holder.lease !== lease) return;
    if (holder.lease === lease) holder.lease = undefined;
    this.#parts.rootChanged(holder, nowMs);
  }

  revoke(lease: Lease, reason: string, nowMs: number): void {
    this.#parts.out.send(lease.holder, { kind: 'revoke-origin-lease', leaseId: lease.id, reason });
    this.end(lease, nowMs);
  }

  #announce({ id, holder, range, readerRange, expiresAtMs }: Lease): void {
    this.#parts.out.send(holder, {
      kind: 'grant-origin-lease',
      leaseId: id,
      range,
      wholeTask: !holder.features.leases,
      ...(readerRange && { readerRange }),
      expiresAtMs,
    });
  }
}

export function leasesOf(peer: Peer): Lease[] {
  return peer.lease ? [peer.lease, ...peer.readerLeases] : [...peer.readerLeases];
}

/** How long a holder may report no progress. */
export function stallMs({ features }: Peer, { leaseStallMs, originalLeaseStallMs }: SwarmLimits): number {
  return features.leases ? leaseStallMs : originalLeaseStallMs;
}
