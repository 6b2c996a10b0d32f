/**
 * Serves readers of a part of the content, who must not wait for everything before it.
 *
 * What somebody holds comes from there. Bytes that nobody is about to have get a lease of their own at once, cut out of
 * the lease that would have reached them later; the rest stays one task, and is fetched once. A few bytes that somebody
 * will bring whole anyway are fetched twice instead, up to a share of the content, because a cut costs the origin one
 * more request. Bytes that arrive at an unknown rate are waited for a moment: at a fast origin most of them come in
 * that time, and a cut would waste what is already on its way.
 *
 * While the layout is unknown, a reader's bytes are leased as they were requested; the answer tells the rest.
 */
import { resolveRange, type ByteRange, type RangeSpec } from '../../../core/byte-range.ts';
import { minPieceLengthBytes, piecesOfRange, pieceLayout, type PieceLayout } from '../../../core/piece-layout.ts';
import type { SwarmLimits } from '../limits.ts';
import type { LeaseBook } from './lease-book.ts';
import { comesInMs, msPerPiece, type LeaseCourse } from './lease-pace.ts';
import type { Lease, Peer, Task } from '../records.ts';
import { isDownloading } from '../states.ts';

export interface ReaderDeskParts {
  readonly limits: SwarmLimits;
  readonly leases: LeaseBook;
  /** Makes a seed fetch the whole content, if one is available that does not yet. */
  readonly wake: (peer: Peer, nowMs: number) => void;
  readonly wakeAt: (task: Task, atMs: number) => void;
}

interface Run {
  readonly first: number;
  readonly end: number;
}

/** A lease that is to end before this piece. */
interface Late {
  readonly lease: Lease;
  readonly first: number;
}

export class ReaderDesk {
  readonly #parts: ReaderDeskParts;

  constructor(parts: ReaderDeskParts) {
    this.#parts = parts;
  }

  /** A reader of the peer waits for these bytes. The caller settles the task afterwards. */
  ask(peer: Peer, range: RangeSpec): void {
    if (!peer.features.leases || peer.asking.length >= this.#parts.limits.readersPerPeer) return;
    peer.asking.push(range);
    peer.task.asking.add(peer);
  }

  /** Grants what can be granted now. */
  serve(task: Task, nowMs: number): void {
    for (const peer of Array.from(task.asking)) {
      if (!isDownloading(peer.state)) peer.asking.length = 0;
      const left = peer.asking.filter((range) => !this.#serve(peer, range, nowMs));
      peer.asking.splice(0, peer.asking.length, ...left);
      if (left.length === 0) task.asking.delete(peer);
    }
  }

  /** The layout became known: leases of readers get their pieces. */
  layoutKnown(task: Task): void {
    const layout = layoutOf(task);
    if (!layout) return;
    for (const lease of Array.from(task.leases.values())) {
      if (!lease.readerRange || lease.range.end !== undefined) continue;
      const range = resolveRange(lease.readerRange, layout.contentLengthBytes);
      const run = range && this.#owned(task, range, layout, lease);
      if (run) this.#parts.leases.change(lease, run, specOf(range));
      else this.#parts.leases.toReaderOnly(lease, range && specOf(range));
    }
  }

  /** True when the request is settled. */
  #serve(peer: Peer, spec: RangeSpec, nowMs: number): boolean {
    const { task } = peer;
    const { limits, leases } = this.#parts;
    if (task.leases.size >= limits.backToSourceCount) return false;
    const holder = this.#holder(peer, nowMs);
    const layout = layoutOf(task);
    if (!layout) {
      const free = [...task.leases.values()].every(({ readerRange }) => readerRange && areApart(readerRange, spec));
      if (!holder || holder !== peer || !free || task.ranges === false) return false;
      leases.grant(peer, { first: 0, end: undefined }, { nowMs, readerRange: spec });
      this.#parts.wake(peer, nowMs);
      return true;
    }
    const range = resolveRange(spec, layout.contentLengthBytes);
    if (!range || task.ranges === false) return true;
    const runs = lackingRuns(task, piecesOfRange(layout, range.start, range.length));
    if (runs.length === 0) return true;
    if (!holder) return task.trigger === undefined;
    const served = runs.map((run) =>
      this.#serveRun(peer, holder, { run, range: clip(range, run, layout), layout }, nowMs),
    );
    this.#parts.wake(peer, nowMs);
    return served.every(Boolean);
  }

  /** False when the reader waits for bytes that may turn out to arrive late. */
  #serveRun(
    peer: Peer,
    holder: Peer,
    { run, range, layout }: { run: Run; range: ByteRange; layout: PieceLayout },
    nowMs: number,
  ): boolean {
    const { task } = peer;
    const { leases, limits } = this.#parts;
    const { free, late, slow, unsure } = this.#look(task, run, nowMs);
    if (free.size === 0 && late.length === 0 && !slow) return !unsure;
    if (!unsure && holder === peer && this.#comesWhole(peer, run) && this.#mayDouble(task, range.length, layout)) {
      task.doubledBytes += range.length;
      leases.grantReaderOnly(peer, specOf(range), nowMs);
      return true;
    }
    for (const { lease, first } of late) this.#cut(task, lease, first, layout);
    for (const taken of runsOf([...free].sort((a, b) => a - b))) {
      if (task.leases.size >= limits.backToSourceCount) return true;
      const readerRange = specOf(clip(range, taken, layout));
      leases.grant(holder, taken, { nowMs, readerRange });
    }
    return !unsure;
  }

  /**
   * Which pieces of the run have to be fetched. `free`: leased to nobody. `late`: leases that reach them later than a
   * reader should wait, and from which piece on. `unsure`: the arrival cannot be estimated yet. `slow`: some of it is
   * being fetched, but not complete soon.
   */
  #look(task: Task, run: Run, nowMs: number): { free: Set<number>; late: Late[]; slow: boolean; unsure: boolean } {
    const { limits, wakeAt } = this.#parts;
    const free = new Set<number>();
    const late: Late[] = [];
    let unsure = false;
    let slow = false;
    for (let piece = run.first; piece < run.end; piece += 1) free.add(piece);
    for (const lease of task.leases.values()) {
      const end = Math.min(lease.range.end ?? 0, run.end);
      const first = Math.max(lease.range.first, run.first);
      if (first >= end) continue;
      const at = lease.holder.pieces.firstMissing(lease.range.first, lease.range.end ?? 0) ?? lease.range.first;
      const course = courseOf(lease, at);
      const soon = first <= at || comesInMs(course, first, nowMs, limits.reportEveryMs) <= limits.readerWaitMs;
      slow ||= soon && msPerPiece(course) > limits.readerWaitMs;
      const knownAtMs = lease.grantedAtMs + limits.readerWaitMs;
      if (!soon && (at > lease.range.first || nowMs >= knownAtMs)) {
        late.push({ lease, first });
        continue;
      }
      for (let piece = first; piece < end; piece += 1) free.delete(piece);
      if (soon) continue;
      unsure = true;
      wakeAt(task, knownAtMs);
    }
    return { free, late, slow, unsure };
  }

  #cut(task: Task, lease: Lease, end: number, layout: PieceLayout): void {
    const run = { first: lease.range.first, end };
    const range = lease.readerRange && resolveRange(lease.readerRange, layout.contentLengthBytes);
    this.#parts.leases.change(lease, run, range && specOf(clip(range, run, layout)));
    task.wasCut = true;
  }

  /** The peer itself, or a seed when the peer may not or cannot fetch. */
  #holder(peer: Peer, nowMs: number): Peer | undefined {
    const can = (candidate: Peer): boolean =>
      candidate.features.leases && isDownloading(candidate.state) && candidate.originBlockedUntilMs <= nowMs;
    if (!peer.disableBackToSource && can(peer)) return peer;
    for (const seed of peer.task.seedPeers) if (can(seed)) return seed;
    return undefined;
  }

  /** Somebody brings these pieces whole, or will. */
  #comesWhole(peer: Peer, { first, end }: Run): boolean {
    const { task } = peer;
    for (const seed of task.seedPeers) if (isDownloading(seed.state) && !seed.partial) return true;
    if (task.trigger) return true;
    for (const { range } of task.leases.values())
      if (range.end !== undefined && range.first <= first && range.end >= end) return true;
    return false;
  }

  #mayDouble(task: Task, bytes: number, layout: PieceLayout): boolean {
    const { limits } = this.#parts;
    const most = limits.doubledShare * layout.contentLengthBytes;
    return bytes <= limits.doubledBytes && task.doubledBytes + bytes <= most;
  }

  /** Pieces of a range that no lease covers yet. */
  #owned(task: Task, range: ByteRange, layout: PieceLayout, own: Lease): Run | undefined {
    const { first, last } = piecesOfRange(layout, range.start, range.length);
    if (this.#comesWhole(own.holder, { first, end: last + 1 }) && this.#mayDouble(task, range.length, layout)) {
      task.doubledBytes += range.length;
      return undefined;
    }
    const free: number[] = [];
    for (let piece = first; piece <= last; piece += 1) {
      const leased = [...task.leases.values()].some(
        (lease) => lease !== own && piece >= lease.range.first && piece < (lease.range.end ?? 0),
      );
      if (!leased && (task.holders[piece] ?? 0) === 0) free.push(piece);
    }
    return runsOf(free)[0];
  }
}

function layoutOf({ layout }: Task): PieceLayout | undefined {
  return layout && pieceLayout(layout.contentLengthBytes, layout.pieceLengthBytes);
}

function specOf({ start, length }: ByteRange): RangeSpec {
  return { first: start, last: start + length - 1 };
}

function clip({ start, length }: ByteRange, { first, end }: Run, { pieceLengthBytes }: PieceLayout): ByteRange {
  const from = Math.max(start, first * pieceLengthBytes);
  return { start: from, length: Math.min(start + length, end * pieceLengthBytes) - from };
}

/** As far as can be determined before the length is known: each range is fetched up to where its last piece may end. */
function areApart(a: RangeSpec, b: RangeSpec): boolean {
  if ('suffix' in a || 'suffix' in b) return 'suffix' in a !== 'suffix' in b;
  const block = (position: number): number => Math.floor(position / minPieceLengthBytes);
  return block(a.last ?? Infinity) < block(b.first) || block(b.last ?? Infinity) < block(a.first);
}

/** Runs of pieces that nobody holds. */
function lackingRuns(task: Task, { first, last }: { first: number; last: number }): Run[] {
  const lacking: number[] = [];
  for (let piece = first; piece <= last; piece += 1) if ((task.holders[piece] ?? 0) === 0) lacking.push(piece);
  return runsOf(lacking);
}

function runsOf(ascending: readonly number[]): Run[] {
  const runs: { first: number; end: number }[] = [];
  for (const piece of ascending) {
    const run = runs.at(-1);
    if (run?.end === piece) run.end = piece + 1;
    else runs.push({ first: piece, end: piece + 1 });
  }
  return runs;
}

function courseOf({ range, grantedAtMs, answeredAtMs, holder }: Lease, at: number): LeaseCourse {
  return { first: range.first, at, sinceMs: answeredAtMs ?? grantedAtMs, reportedAtMs: holder.progressAtMs };
}
