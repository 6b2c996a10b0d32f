/** The entities the swarm owns. Plain data; only Swarm and its helpers in this folder change them. */
import type { RangeSpec } from '../../core/byte-range.ts';
import type { EdgeKind, LeaseRange } from '../shared/decisions.ts';
import type { DigestState } from './digest-desk.ts';
import type { HostInfo, OriginError, PeerFeatures, TaskLayout } from '../shared/events.ts';
import { PieceSet } from '../shared/piece-set.ts';
import type { PeerState, TaskState } from './states.ts';
import type { IndexedSet } from './indexed-set.ts';
import type { Zone } from './zones.ts';
import type { Pulse, Rhythm } from './origin/pulse.ts';

export interface Host {
  info: HostInfo;
  readonly id: string;
  readonly peers: Set<Peer>;
  /** Backbone children over all tasks; each holds one upload slot from the moment it is offered this parent. */
  slotsUsed: number;
  slotLimit: number;
  /** Pieces served and failed, for the upload success of the evaluator. */
  uploads: number;
  uploadsFailed: number;
  /** What children measured when this host served them: mean over recent reports; undefined before the first. */
  serveRateBytesPerSec: number | undefined;
  lastSeenMs: number;
  /** Rhythm of its heartbeats while it is at an origin. */
  readonly rhythm: Rhythm;
  /** Hosts that reported corrupt pieces from this host, and when each did so last. */
  readonly accusedBy: Map<string, number>;
  /** Hosts that it accuses and that were not struck off. */
  readonly accuses: Set<string>;
  /** Not offered as a parent before this time. */
  quarantinedUntilMs: number;
}

/** Hosts with the same witness count as one in accusations and confirmations. */
export function witnessOf({ info, id }: Host): string {
  return info.witness ?? id;
}

export interface Lease {
  readonly id: number;
  readonly holder: Peer;
  /** The range as granted; held pieces are not removed from it. */
  range: LeaseRange;
  /** Bytes that a reader of the holder waits for; undefined for a lease of pieces that are merely missing. */
  readerRange: RangeSpec | undefined;
  readonly grantedAtMs: number;
  /** When its holder first reported an answer of the origin; undefined before. */
  answeredAtMs: number | undefined;
  /** Others hold the pieces, but the lease holder does not get them from those. */
  readonly rescue: boolean;
  expiresAtMs: number;
  /** Heartbeat of its holder; undefined when the holder sends none. */
  pulse: Pulse | undefined;
}

export interface Task {
  readonly id: string;
  url: string;
  tag: string;
  application: string;
  state: TaskState;
  layout: TaskLayout | undefined;
  pieceCount: number | undefined;
  readonly peers: Map<string, Peer>;
  readonly seedPeers: Set<Peer>;
  /** Downloading peers that lack parents, in order of arrival. */
  readonly waiting: Set<Peer>;
  /** Peers that lead to a root and may take children. */
  readonly servers: IndexedSet<Peer>;
  /** Incomplete peers that trade both ways. */
  readonly traders: IndexedSet<Peer>;
  /** By name; kept only where few peers cross from one to another. */
  readonly zones: Map<string, Zone>;
  /**
   * Who vouches for the content: nobody yet, peers that only claim to hold it, or a peer that was sent to the origin
   * for it. A claim counts until enough hosts other than the claimants have compared it with the origin.
   */
  proof: 'none' | 'claimed' | 'origin';
  readonly claimants: Set<string>;
  readonly confirmers: Set<string>;
  /** Digests of its pieces at the origin; undefined while nobody was sent there. */
  digests: DigestState | undefined;
  /** How many peers hold each piece. */
  holders: Uint32Array;
  readonly leases: Map<number, Lease>;
  /** Peers whose readers wait for ranges that were not scheduled yet. */
  readonly asking: Set<Peer>;
  /** Leases were cut short for readers: what came after the cut has yet to be leased. */
  wasCut: boolean;
  /** Bytes fetched for readers although somebody brings their pieces whole. */
  doubledBytes: number;
  /** Whether the origin supports byte ranges; undefined while unknown. */
  ranges: boolean | undefined;
  /** Seed host asked to download, until it registers or the deadline passes. */
  trigger: { readonly hostId: string; readonly deadlineMs: number } | undefined;
  /** Seed hosts that failed this task, and until when they are not triggered. */
  readonly failedSeeds: Map<string, number>;
  originFailures: number;
  /** Leases in a row that were lost because the origin sent nothing in time, although their holders were there. */
  originSilences: number;
  /** Until then nobody is sent to the origin: peers that hold pieces may be coming back, or have not reported them yet. */
  quietUntilMs: number;
  lastOriginError: OriginError | undefined;
  /** Witnesses of the origin's refusal; see witnessOf. */
  readonly refusedBy: Set<string>;
  /** How often each host was sent to the origin and brought nothing, by host id. */
  readonly failedAtOrigin: Map<string, number>;
  updatedAtMs: number;
}

export interface Peer {
  readonly id: string;
  readonly task: Task;
  readonly host: Host;
  /** Data centre of its host at registration, in lower case; '' when unknown. */
  readonly zone: string;
  readonly features: PeerFeatures;
  readonly priority: number;
  readonly range: { readonly start: number; readonly length: number } | undefined;
  readonly disableBackToSource: boolean;
  readonly hasFallback: boolean;
  readonly needBackToSource: boolean;
  readonly concurrentPieceCount: number;
  state: PeerState;
  pieces: PieceSet;
  /** Whether its pieces count as held: false for hosts that do not share, or were found to send corrupt pieces. */
  sharing: boolean;
  /** It held a lease and its heartbeat is overdue: until it is heard from again, its pieces do not count as held. */
  silent: boolean;
  /** Its stream broke while it was at the origin: it receives nothing any more, and only reports in answer to a call. */
  deaf: boolean;
  /** Time of the last new piece. */
  progressAtMs: number;
  /** The longest time between two reports of new pieces; undefined before the second one. */
  longestPauseMs: number | undefined;
  /** It only serves readers of parts, and wants no more than their pieces. */
  partial: boolean;
  /** Ranges its readers wait for, in order of arrival. */
  readonly asking: RangeSpec[];
  /** Everything that its readers want, until the layout is known and it moves to `wanted`. */
  readonly wantedRanges: RangeSpec[];
  /** Pieces the ranges cover; undefined for all of them or while the layout is unknown. */
  wanted: PieceSet | undefined;
  readonly parents: Map<string, Edge>;
  readonly children: Map<string, Edge>;
  /** Parents that must not be offered, and until when. */
  readonly blocked: Map<string, number>;
  /** Hosts of parents that have left, by peer id: corrupt pieces from them may be noticed later. */
  readonly leftParents: Map<string, Host>;
  /** Recent piece costs in ms, newest last, bounded; only used by the original's formulas. */
  readonly costsMs: number[];
  /** Exchange edges in which this peer is the parent. */
  exchangeChildren: number;
  backboneParents: number;
  backboneChildren: number;
  lease: Lease | undefined;
  /** Additional leases, each for bytes that a reader waits for. */
  readonly readerLeases: Set<Lease>;
  /** All pieces that it was ever sent to the origin for. */
  readonly fetched: Fetched;
  /** It lost a lease by stalling or failing: others go to the origin first until then. */
  originBlockedUntilMs: number;
  waitingSinceMs: number;
  createdAtMs: number;
  updatedAtMs: number;
}

/** Pieces that a peer was sent to the origin for; `all` when that was before their number was known. */
export class Fetched {
  readonly #pieces = new PieceSet();
  #all = false;

  has(piece: number): boolean {
    return this.#all || this.#pieces.has(piece);
  }

  add({ first, end }: LeaseRange): void {
    if (end === undefined) this.#all = true;
    else if (end > first) this.#pieces.addAll(PieceSet.range(first, end - first));
  }
}

export interface Edge {
  readonly parent: Peer;
  readonly child: Peer;
  readonly kind: EdgeKind;
}
