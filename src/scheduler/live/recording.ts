/**
 * How the pieces of one distribution moved: coarse enough to stay small, fine enough to be replayed. When there are too
 * many moves, the time steps double.
 */
import { maxRecordedMoves, maxRecordedPeers, maxRecordedStepMs, recordedStepMs } from '../limits.ts';

export interface RecordedNode {
  readonly hostName: string;
  readonly ip: string;
  readonly idc: string;
  /** seed or normal. */
  readonly type: string;
}

/** A peer that sends or receives. */
export interface RecordedEnd {
  readonly id: string;
  /** Called when the peer is not known yet. */
  readonly node: () => RecordedNode;
}

/** Times are milliseconds since the distribution began. */
export interface RecordedPeer extends RecordedNode {
  beganMs: number;
  /** 0: not yet. */
  endedMs: number;
  failed: boolean;
  /** True when it held its pieces before the distribution began. */
  readonly heldBefore: boolean;
}

/** The numbers that describe one move: step, child, parent, pieces. */
const width = 4;
const firstMoves = 16;
/** What one number can say. */
const most = 65_535;

/** Merging goes on until a quarter is free, because one pass costs the same however many moves it frees. */
const roomAfterMerging = 0.75;

/** Grants recordings the memory they need. */
export interface RecordingRoom {
  /** False when there is no room for this many more moves. */
  readonly take: (moves: number) => boolean;
}

export class Recording {
  readonly #startedAtMs: number;
  readonly #room: RecordingRoom;
  readonly #peers: RecordedPeer[] = [];
  readonly #indexes = new Map<string, number>();
  #stepMs = recordedStepMs;
  #moves = new Uint16Array(0);
  #count = 0;
  /** The index of each move of the last step, by child and parent. */
  readonly #ofLastStep = new Map<number, number>();

  /** @param startedAtMs by the monotonic clock, like all times passed to it. */
  constructor(startedAtMs: number, room: RecordingRoom) {
    this.#startedAtMs = startedAtMs;
    this.#room = room;
  }

  get stepMs(): number {
    return this.#stepMs;
  }

  get peers(): readonly RecordedPeer[] {
    return this.#peers;
  }

  /** The number of moves it has reserved room for. */
  get capacity(): number {
    return this.#moves.length / width;
  }

  /** Four numbers per move: the step, the index of the child, 0 for the origin or the index of the parent plus one, pieces. */
  moves(): number[] {
    return [...this.#moves.subarray(0, this.#count * width)];
  }

  /** A peer that begins again keeps its index. */
  began(peerId: string, node: RecordedNode, nowMs: number, heldBefore = false): void {
    if (this.#indexes.has(peerId) || this.#peers.length >= maxRecordedPeers) return;
    this.#indexes.set(peerId, this.#peers.length);
    this.#peers.push({ ...node, beganMs: this.#since(nowMs), endedMs: 0, failed: false, heldBefore });
  }

  ended(peerId: string, failed: boolean, nowMs: number): void {
    const peer = this.#peers[this.#indexes.get(peerId) ?? -1];
    if (peer) Object.assign(peer, { endedMs: Math.max(1, this.#since(nowMs)), failed });
  }

  /** @param parent undefined for the origin. A parent that has not begun here held what it gives before. */
  moved(to: RecordedEnd, parent: RecordedEnd | undefined, pieces: number, nowMs: number): void {
    // A download that continues from the previous part of the distribution is added when its first piece arrives.
    const child = this.#indexOf(to, false);
    const from = parent ? this.#indexOf(parent, true) : -1;
    if (child === undefined || from === undefined) return;
    while (this.#since(nowMs) / this.#stepMs > most) this.#coarsen();
    // Moves that find no room are left out of the picture, but never out of the figures.
    if (!this.#hasRoom()) return;
    this.#add(Math.floor(this.#since(nowMs) / this.#stepMs), child, from + 1, pieces);
  }

  #indexOf({ id, node }: RecordedEnd, heldBefore: boolean): number | undefined {
    if (!this.#indexes.has(id)) this.began(id, node(), this.#startedAtMs, heldBefore);
    return this.#indexes.get(id);
  }

  #add(step: number, child: number, parent: number, pieces: number): void {
    if (this.#count > 0 && this.#moves[(this.#count - 1) * width] !== step) this.#ofLastStep.clear();
    const key = child * (most + 1) + parent;
    const known = this.#ofLastStep.get(key);
    if (known !== undefined) {
      this.#moves[known + 3] = Math.min(most, (this.#moves[known + 3] ?? 0) + pieces);
      return;
    }
    const at = this.#count * width;
    this.#moves.set([step, child, parent, Math.min(most, pieces)], at);
    this.#ofLastStep.set(key, at);
    this.#count += 1;
  }

  /** Makes room for one more move: by growing if possible, otherwise by merging steps. */
  #hasRoom(): boolean {
    if (this.#count < this.capacity) return true;
    const grown = this.capacity === 0 ? firstMoves : Math.min(this.capacity * 2, maxRecordedMoves);
    if (grown > this.capacity && this.#room.take(grown - this.capacity)) {
      const moves = new Uint16Array(grown * width);
      moves.set(this.#moves);
      this.#moves = moves;
      return true;
    }
    while (this.#count > this.capacity * roomAfterMerging && this.#stepMs < maxRecordedStepMs) this.#coarsen();
    return this.#count < this.capacity;
  }

  /** Merges every two steps into one, and the moves between the same two peers within it. */
  #coarsen(): void {
    this.#stepMs *= 2;
    const count = this.#count;
    this.#count = 0;
    this.#ofLastStep.clear();
    // The write position never passes the read position.
    for (let at = 0; at < count * width; at += width) {
      const [step = 0, child = 0, parent = 0, pieces = 0] = this.#moves.subarray(at, at + width);
      this.#add(step >> 1, child, parent, pieces);
    }
  }

  #since(nowMs: number): number {
    return Math.max(0, Math.round(nowMs - this.#startedAtMs));
  }
}
