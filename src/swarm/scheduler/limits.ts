/** Every bound of the scheduler's side of the swarm. Counts and times are the original's unless the comment says why not. */
export interface SwarmLimits {
  /** Parents offered at once to a peer in `dag` mode (manager: candidate_parent_limit, 1…20). */
  readonly candidateParentLimit: number;
  /** Candidates looked at for one peer before the search gives up (manager: filter_parent_limit, 10…1000). */
  readonly filterParentLimit: number;
  /** Peers that may fetch one task from the origin at the same time (scheduler.backToSourceCount). */
  readonly backToSourceCount: number;
  /** Children a normal host serves at once, over all tasks (client load_limit, 1…2000). */
  readonly normalLoadLimit: number;
  /** Children a seed host serves at once (seed load_limit, 1…50000). */
  readonly seedLoadLimit: number;
  /** Peers of one task; further registrations are refused. The original drops finished peers at 300 and so loses its best sources. */
  readonly peersPerTask: number;
  readonly tasks: number;
  readonly hosts: number;

  /** Backbone parents of a peer in `swarm` mode; exchange edges carry the rest. */
  readonly backboneParents: number;
  /** Backbone children of one peer in `swarm` mode: a wide root would queue everybody at itself. */
  readonly backboneChildren: number;
  /** Neighbours a peer looks for; below 30 the swarm measurably slows down, above 40 it gains nothing. */
  readonly exchangeTarget: number;
  /** Factor for content in large pieces: while few pieces exist, neighbours more often lack what one needs, and telling more of them costs little. */
  readonly exchangeLargeFactor: number;
  readonly largePieceBytes: number;
  /** Exchange neighbours a peer accepts at most. */
  readonly exchangeLimit: number;
  /** Peers of one data centre (IDC) that fetch a task from outside; the rest take it from them. 0: no restriction (scheduler.crossZonePeers). */
  readonly crossZonePeers: number;
  /** A child that has waited this long for a parent in its own data centre gets one in another. */
  readonly crossAfterMs: number;

  /** A lease whose holder reports no progress for this long is given to another peer. */
  readonly leaseStallMs: number;
  /** The same for daemons of the original, which report whole pieces only; when one dies, its stream breaks. */
  readonly originalLeaseStallMs: number;
  /** A holder that sends heartbeats is considered hung after this silence, or later if its heartbeats were irregular. */
  readonly leaseSilentMs: number;
  /** A check of such a holder that runs later than this is repeated. */
  readonly lateLookMs: number;
  /** Gaps this long between the heartbeats of a holder, while others have got nothing for `uselessMs`, are as good as silence. */
  readonly leaseLateMs: number;
  readonly uselessMs: number;
  /** Pause after a failed attempt at the origin; doubled with every consecutive failure. */
  readonly originRetryMs: number;
  /** Failed attempts at the origin before the waiting peers are told the origin's answer. */
  readonly originAttempts: number;
  /** Seeds triggered for one task; more than one share it in stripes, at one origin request each. */
  readonly seedsPerTask: number;
  /** Pending ranges of one peer's readers; further ones wait for what comes anyway. */
  readonly readersPerPeer: number;
  /** A reader's range up to this length may be fetched twice rather than cut out of a fetch that brings its pieces whole. */
  readonly doubledBytes: number;
  /** Maximum share of the content that is fetched twice in this way. */
  readonly doubledShare: number;
  /** How long a reader waits for bytes in flight before it gets a fetch of its own. */
  readonly readerWaitMs: number;
  /** Reporting interval of daemons; progress since the last report is extrapolated from the rate. */
  readonly reportEveryMs: number;
  /** Smallest part of a lease worth a request of its own, in pieces. */
  readonly stripePieces: number;
  /** A triggered seed must register within this time, then the next one is tried. */
  readonly seedTriggerMs: number;
  /** A seed that failed a task is not triggered for it again within this time. */
  readonly seedFailedMs: number;
  /** How long a failing parent is kept from the child that complained. */
  readonly blockParentMs: number;
  /** Different hosts that must report corrupt pieces of one host before nobody gets it as a parent any more. */
  readonly accusersToQuarantine: number;
  readonly quarantineMs: number;
  /** Hosts that one host may accuse before others do, without its accusations losing their weight. */
  readonly openAccusations: number;
  /** How long a parent is kept from a child that accuses it of an unconfirmed piece; a check takes no longer. */
  readonly doubtMs: number;
  /** Memory for digests of all tasks; beyond it no more are kept. */
  readonly digestMemoryBytes: number;
  /** Minimum interval between two distributions of digests, per peer of the task. */
  readonly digestNewsMsPerPeer: number;
  /** One in this many pieces whose digests a single host has reported is compared with the origin by another peer. */
  readonly piecesPerCheck: number;
  /** Maximum number of such comparisons per task. */
  readonly checksPerTask: number;
  /** How long a peer may take to compare a piece with the origin. */
  readonly checkMs: number;
  /** Hosts that must confirm a claim with the origin before others believe it. */
  readonly confirmersToBelieve: number;
  /** Approximate number of edges added for a crowd in one event; the next event continues. */
  readonly edgesPerSettling: number;
  /** A waiting peer for which drawing found no parent is tried again after this time, or with the next event. */
  readonly retryMs: number;
  /** Peers without a new piece since the last look are introduced to holders of what they lack. */
  readonly stallCheckMs: number;
  /** Peers checked in one event, and how many of those are introduced to others. */
  readonly stallLooks: number;
  readonly stallIntroductions: number;
  /** Holders a stalled peer is introduced to at once. */
  readonly introductions: number;
  /** A downloading peer without a new piece for this long, although others hold what it lacks, may fetch from the origin. */
  readonly stalledMs: number;
  /** A pause this many times as long as the longest so far counts as stalled, for a peer that progressed faster; at least this time. */
  readonly stalledPauses: number;
  readonly stalledLeastMs: number;
  /** Time after a start in which daemons may register again with their pieces, before anybody is sent to the origin. */
  readonly resumeMs: number;
  /** The same for content that a peer returns for in the middle: the peer that fetches it from the origin is returning, too. */
  readonly resumeKnownMs: number;
  /** Pieces are reported in batches: what a leaving peer had just passed on becomes known within this time, so the origin is not asked before. */
  readonly reportGraceMs: number;
  /** A peer that can neither get a parent nor go to the origin is rejected after this time. */
  readonly waitMs: number;

  /** A downloading peer without a new piece for this long is dropped (scheduler.gc.pieceDownloadTimeout). */
  readonly pieceDownloadTimeoutMs: number;
  /** scheduler.gc.peerTTL, .hostTTL, .peerGCInterval. */
  readonly peerTtlMs: number;
  readonly hostTtlMs: number;
  readonly gcIntervalMs: number;
}

export const defaultSwarmLimits: SwarmLimits = {
  candidateParentLimit: 4,
  filterParentLimit: 15,
  backToSourceCount: 200,
  normalLoadLimit: 200,
  seedLoadLimit: 2000,
  peersPerTask: 50_000,
  tasks: 1_000_000,
  hosts: 100_000,
  backboneParents: 2,
  backboneChildren: 32,
  exchangeTarget: 40,
  exchangeLargeFactor: 2,
  largePieceBytes: 16 * 2 ** 20,
  exchangeLimit: 80,
  crossZonePeers: 0,
  crossAfterMs: 1000,
  leaseStallMs: 10_000,
  originalLeaseStallMs: 240_000, // a piece of 64 MiB at 300 kB/s
  leaseSilentMs: 600,
  lateLookMs: 50,
  leaseLateMs: 1000,
  uselessMs: 3000,
  originRetryMs: 1000,
  originAttempts: 5,
  seedsPerTask: 1,
  readersPerPeer: 128,
  doubledBytes: 2 ** 20,
  doubledShare: 0.02,
  readerWaitMs: 50,
  reportEveryMs: 100,
  stripePieces: 8,
  seedTriggerMs: 3000,
  seedFailedMs: 30 * 60_000,
  blockParentMs: 5000,
  accusersToQuarantine: 2,
  quarantineMs: 10 * 60_000,
  openAccusations: 3,
  doubtMs: 500,
  digestMemoryBytes: 64 * 2 ** 20,
  digestNewsMsPerPeer: 0.05,
  piecesPerCheck: 32,
  checksPerTask: 16,
  checkMs: 2000,
  confirmersToBelieve: 2,
  edgesPerSettling: 400,
  retryMs: 500,
  stallCheckMs: 2000,
  stallLooks: 2000,
  stallIntroductions: 64,
  introductions: 3,
  stalledMs: 20_000,
  stalledPauses: 8,
  stalledLeastMs: 10_000,
  resumeMs: 1000,
  resumeKnownMs: 5000,
  reportGraceMs: 600,
  waitMs: 30_000,
  pieceDownloadTimeoutMs: 30 * 60_000,
  peerTtlMs: 24 * 3_600_000,
  hostTtlMs: 3_600_000,
  gcIntervalMs: 10_000,
};
