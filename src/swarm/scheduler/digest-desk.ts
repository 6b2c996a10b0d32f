/**
 * Collects the digests that peers at the origin report for pieces, distributes them to everybody who downloads those
 * pieces, and resolves contradictions: a peer that has reported nothing compares one piece with the origin.
 */
import type { SwarmLimits } from './limits.ts';
import type { Outbox } from './outbox.ts';
import { digestBytes, PieceDigests, sameBytes } from '../shared/piece-digests.ts';
import { PieceSet } from '../shared/piece-set.ts';
import { type Random, randomIndex } from '../shared/random.ts';
import { witnessOf, type Host, type Peer, type Task } from './records.ts';
import { isDownloading } from './states.ts';

export interface ToldDigests {
  /** Number of the first; the others follow it. */
  readonly first: number;
  /** `digestBytes` each. */
  readonly digests: Uint8Array;
  readonly validator: string;
  /** The peer asked the origin for the piece only to resolve a contradiction. */
  readonly checked: boolean;
}

/** Of one task. */
export interface DigestState {
  readonly known: PieceDigests;
  /** A peer at the origin sends digests, and no held piece lacks one. */
  complete: boolean;
  /** Pieces whose digests have to be sent to the other peers. */
  news: PieceSet;
  toldAtMs: number;
  /** A peer is asking the origin about this piece. */
  check: { readonly piece: number; readonly untilMs: number } | undefined;
  checks: number;
  /** Pending accusations by piece; they count once the recorded digest is confirmed. */
  readonly doubts: Map<number, Doubt[]>;
}

/** A claim that this host sent bytes that do not match the digest. */
export interface Doubt {
  readonly accused: Host;
  readonly by: Host;
  /** What had been told. */
  readonly digest: Uint8Array;
}

export interface DigestParts {
  readonly limits: SwarmLimits;
  readonly random: Random;
  readonly out: Outbox;
  /** The host sent a false digest; `against` are the hosts that contradict it. */
  readonly lied: (hostId: string, against: readonly string[], nowMs: number) => void;
  /** The recorded digest has been confirmed. */
  readonly confirmed: (doubt: Doubt, nowMs: number) => void;
  readonly wakeAt: (task: Task, atMs: number) => void;
}

/** Digests in one message, at most. */
const digestsPerMessage = 1024;
/** Accusations kept while the digest of a piece is uncertain. */
const doubtsPerPiece = 32;
/** Memory that one digest costs the scheduler. */
const costBytes = 400;

export class DigestDesk {
  readonly #parts: DigestParts;
  #count = 0;

  constructor(parts: DigestParts) {
    this.#parts = parts;
  }

  /** Digests count for pieces that the peer was sent to fetch, and as confirmation of others. Seeds are trusted. */
  told(peer: Peer, { first, digests, validator, checked }: ToldDigests, nowMs: number): void {
    const { task, host } = peer;
    const isSeed = host.info.type === 'seed';
    const { known, news } = stateOf(task);
    for (let place = 0; (place + 1) * digestBytes <= digests.length; place += 1) {
      const piece = first + place;
      if (piece >= (task.pieceCount ?? Number.POSITIVE_INFINITY) || !this.#hasRoom) break;
      const mayTell = isSeed || peer.fetched.has(piece) || (checked && known.has(piece));
      if (!mayTell || host.quarantinedUntilMs > nowMs) continue;
      const digest = digests.slice(place * digestBytes, (place + 1) * digestBytes);
      const before = known.count;
      if (known.tell(piece, digest, { hostId: host.id, witness: witnessOf(host), isSeed, validator })) news.add(piece);
      this.#count += known.count - before;
      const { hostIds, against } = known.liars(piece);
      for (const hostId of hostIds) this.#parts.lied(hostId, against, nowMs);
      if (known.isDisputed(piece)) this.#check(task, piece, nowMs);
      this.#decide(task, piece, nowMs);
    }
    if (!isSeed) this.#audit(task, nowMs);
    this.settle(task, nowMs);
  }

  /** A peer is sent to the origin. When nobody holds or fetches anything else, earlier digests may belong to another version. */
  leaseGiven({ task, features }: Peer): void {
    if (task.leases.size <= 1 && task.holders.every((count) => count === 0)) this.forget(task);
    if (!features.digests) stateOf(task).complete = false;
  }

  /** The peer received bytes that contradict a single host's digest. Starts a check of who is right; false when that is known. */
  doubt({ task, host }: Peer, { piece, accused }: { piece: number; accused: Host }, nowMs: number): boolean {
    const { digests } = task;
    const known = digests?.known.known(piece);
    if (!digests || (known ? known.certain : !digests.known.isDisputed(piece))) return false;
    const doubts = digests.doubts.get(piece) ?? [];
    if (known && doubts.length < doubtsPerPiece) doubts.push({ accused, by: host, digest: known.digest });
    digests.doubts.set(piece, doubts);
    this.#check(task, piece, nowMs);
    return true;
  }

  /** Tells it all there is. */
  registered(peer: Peer): void {
    const { digests } = peer.task;
    if (digests && peer.features.digests) this.#tell(digests.known, [peer], digests.known.pieces);
  }

  /** Sends new digests to the peers, less often the more peers there are; appoints another peer when the last one did not check its piece in time. */
  settle(task: Task, nowMs: number): void {
    const { digests } = task;
    if (!digests) return;
    const { check } = digests;
    if (check && check.untilMs <= nowMs) {
      digests.check = undefined;
      if (digests.known.known(check.piece)?.certain !== true) this.#check(task, check.piece, nowMs);
    }
    if (digests.news.count === 0) return;
    const dueMs = digests.toldAtMs + task.peers.size * this.#parts.limits.digestNewsMsPerPeer;
    if (nowMs < dueMs) return this.#parts.wakeAt(task, dueMs);
    const { news } = digests;
    digests.news = new PieceSet();
    digests.toldAtMs = nowMs;
    const peers = [...task.peers.values()].filter((peer) => peer.features.digests && isDownloading(peer.state));
    this.#tell(digests.known, peers, news);
  }

  /** Drops the digests that this host sent. */
  withdraw(host: Host, tasks: Iterable<Task>, nowMs: number): void {
    for (const task of tasks) {
      if (!task.digests) continue;
      const before = task.digests.known.count;
      for (const piece of task.digests.known.withdraw(host.id)) task.digests.news.add(piece);
      this.#count += task.digests.known.count - before;
      this.settle(task, nowMs);
    }
  }

  forget(task: Task): void {
    this.#count -= task.digests?.known.count ?? 0;
    task.digests = undefined;
  }

  #decide(task: Task, piece: number, nowMs: number): void {
    const { known, doubts } = stateOf(task);
    const open = doubts.get(piece);
    const right = known.known(piece);
    if (!open || right?.certain !== true) return;
    doubts.delete(piece);
    for (const doubt of open) if (sameBytes(doubt.digest, right.digest)) this.#parts.confirmed(doubt, nowMs);
  }

  get #hasRoom(): boolean {
    return this.#count * costBytes < this.#parts.limits.digestMemoryBytes;
  }

  /** Digests of a single host that is not a seed are checked on a few pieces, which it cannot predict. */
  #audit(task: Task, nowMs: number): void {
    const state = stateOf(task);
    const { piecesPerCheck } = this.#parts.limits;
    if (state.check || state.known.count < (state.checks + 1) * piecesPerCheck) return;
    const uncertain = [...state.known.pieces].filter((piece) => state.known.known(piece)?.certain === false);
    if (uncertain.length === 0) return;
    this.#check(task, uncertain[randomIndex(this.#parts.random, uncertain.length)] as number, nowMs);
  }

  #check(task: Task, piece: number, nowMs: number): void {
    const state = stateOf(task);
    const { checksPerTask, checkMs } = this.#parts.limits;
    if (state.check || state.checks >= checksPerTask) return;
    const able = [...task.peers.values()].filter(
      (peer) =>
        peer.features.digests &&
        isDownloading(peer.state) &&
        !peer.disableBackToSource &&
        peer.host.quarantinedUntilMs <= nowMs &&
        !state.known.hasTold(piece, witnessOf(peer.host)),
    );
    if (able.length === 0) return;
    const peer = able[randomIndex(this.#parts.random, able.length)] as Peer;
    state.checks += 1;
    state.check = { piece, untilMs: nowMs + checkMs };
    this.#parts.wakeAt(task, state.check.untilMs);
    this.#parts.out.send(peer, { kind: 'check-piece', piece });
  }

  #tell(known: PieceDigests, peers: readonly Peer[], pieces: Iterable<number>): void {
    for (const run of runsOf(known, pieces))
      for (const peer of peers) this.#parts.out.send(peer, { kind: 'piece-digests', ...run });
  }
}

/** Some held pieces have no digest. */
export function cameWithout(task: Task): void {
  stateOf(task).complete = false;
}

interface DigestRun {
  readonly first: number;
  /** Empty when what was reported of the piece no longer counts. */
  readonly digests: Uint8Array;
  readonly certain: boolean;
}

/** Splits into runs of consecutive pieces that are equally certain. */
function* runsOf(known: PieceDigests, pieces: Iterable<number>): Generator<DigestRun> {
  let run: { first: number; certain: boolean; digests: Uint8Array[] } | undefined;
  for (const piece of [...pieces].sort((a, b) => a - b)) {
    const entry = known.known(piece);
    const joins =
      run &&
      entry &&
      run.certain === entry.certain &&
      run.first + run.digests.length === piece &&
      run.digests.length < digestsPerMessage;
    if (joins && run && entry) run.digests.push(entry.digest);
    else {
      if (run) yield { ...run, digests: joined(run.digests) };
      if (!entry) yield { first: piece, digests: new Uint8Array(), certain: false };
      run = entry && { first: piece, certain: entry.certain, digests: [entry.digest] };
    }
  }
  if (run) yield { ...run, digests: joined(run.digests) };
}

function joined(digests: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(digests.length * digestBytes);
  digests.forEach((digest, place) => bytes.set(digest, place * digestBytes));
  return bytes;
}

function stateOf(task: Task): DigestState {
  task.digests ??= {
    known: new PieceDigests(),
    complete: true,
    news: new PieceSet(),
    toldAtMs: Number.NEGATIVE_INFINITY,
    check: undefined,
    checks: 0,
    doubts: new Map(),
  };
  return task.digests;
}
