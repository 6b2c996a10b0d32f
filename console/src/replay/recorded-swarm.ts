/** A distribution of the past as the frames a live one would have sent: everything at one moment, then what came since. */
import type { Schemas } from '../api/client.ts';
import type { PeerState, PieceLink, TaskFrame, TaskSummary } from '../events/event-types.ts';

export type Recording = Schemas['Recording'];

/** Numbers of one move: step, child, parent, pieces. */
const width = 4;

export class RecordedSwarm {
  readonly #recording: Recording;
  readonly lengthMs: number;
  readonly #pieceCount: number;
  /** The next move, and the moment everything before it is told for. */
  #next = 0;
  #atMs = 0;
  #finished: number[] = [];
  #fromOrigin: number[] = [];
  #links = new Map<string, PieceLink>();
  #originPieces = 0;
  #peerPieces = 0;

  constructor(recording: Recording) {
    const { distribution, piece_count: pieces, peers } = recording;
    this.#recording = recording;
    const endsMs = peers.reduce((latest, { ended_ms: end }) => Math.max(latest, end), 1);
    this.lengthMs = Math.max(endsMs, distribution.ended_at_ms - distribution.started_at_ms);
    this.#pieceCount = pieces > 0 ? pieces : mostPieces(recording);
    this.#rewind();
  }

  /** All of it at that moment. */
  at(ms: number): TaskFrame {
    if (ms < this.#atMs) this.#rewind();
    this.#move(ms);
    const { peers } = this.#recording;
    return this.#frame(
      peers.map((_, index) => index),
      [...this.#links.values()],
    );
  }

  /** What changed since the moment asked for last. */
  until(ms: number): TaskFrame {
    const before = this.#atMs;
    const { children, links } = this.#move(ms);
    this.#recording.peers.forEach(({ began_ms: began, ended_ms: ended }, index) => {
      if ((began > before && began <= ms) || (ended > before && ended <= ms)) children.add(index);
    });
    return this.#frame(
      [...children],
      [...links].flatMap((key) => this.#links.get(key) ?? []),
    );
  }

  #rewind(): void {
    const { peers } = this.#recording;
    this.#next = 0;
    this.#atMs = 0;
    this.#finished = peers.map(({ held_before: held }) => (held ? this.#pieceCount : 0));
    this.#fromOrigin = peers.map(() => 0);
    this.#links = new Map();
    this.#originPieces = 0;
    this.#peerPieces = 0;
  }

  #move(ms: number): { readonly children: Set<number>; readonly links: Set<string> } {
    const { moves, step_ms: stepMs } = this.#recording;
    const children = new Set<number>();
    const links = new Set<string>();
    // A step is told when it is over; at the end nothing is left.
    for (; this.#next < moves.length; this.#next += width) {
      const [step = 0, child = 0, parent = 0, pieces = 0] = moves.slice(this.#next, this.#next + width);
      if ((step + 1) * stepMs > ms && ms < this.lengthMs) break;
      children.add(child);
      this.#finished[child] = Math.min(this.#pieceCount, (this.#finished[child] ?? 0) + pieces);
      if (parent === 0) {
        this.#fromOrigin[child] = (this.#fromOrigin[child] ?? 0) + pieces;
        this.#originPieces += pieces;
      } else links.add(this.#give(parent - 1, child, pieces));
    }
    this.#atMs = ms;
    return { children, links };
  }

  #give(parent: number, child: number, pieces: number): string {
    const key = `${parent} ${child}`;
    const before = this.#links.get(key)?.pieces ?? 0;
    this.#links.set(key, { parent_id: idOf(parent), child_id: idOf(child), pieces: before + pieces, open: true });
    this.#peerPieces += pieces;
    return key;
  }

  #frame(changed: readonly number[], links: readonly PieceLink[]): TaskFrame {
    return {
      task: this.#task(),
      peers: changed.flatMap((index) => this.#peer(index) ?? []),
      removed: [],
      links: links.map((link) => ({ ...link, open: this.#isRunning(link.child_id) })),
    };
  }

  #peer(index: number): PeerState | undefined {
    const peer = this.#recording.peers[index];
    if (!peer) return undefined;
    const { distribution } = this.#recording;
    const hasEnded = peer.ended_ms > 0 && peer.ended_ms <= this.#atMs;
    return {
      id: idOf(index),
      host_id: peer.host_name,
      host_name: peer.host_name,
      ip: peer.ip,
      idc: peer.idc,
      location: '',
      type: peer.type === 'seed' ? 'seed' : 'normal',
      state: stateOf(peer, this.#atMs),
      // What is told of the last step may lack what was found on its own disk.
      finished_pieces: hasEnded && !peer.failed ? this.#pieceCount : (this.#finished[index] ?? 0),
      origin_pieces: this.#fromOrigin[index] ?? 0,
      started_at_ms: peer.held_before ? 0 : distribution.started_at_ms + peer.began_ms,
      finished_at_ms: hasEnded ? distribution.started_at_ms + peer.ended_ms : 0,
    };
  }

  #task(): TaskSummary {
    const { distribution, peers, piece_length: pieceLength } = this.#recording;
    const isOver = this.#atMs >= this.lengthMs;
    const states = peers.map((peer) => stateOf(peer, this.#atMs));
    const count = (state: string): number => states.filter((one) => one === state).length;
    return {
      id: distribution.task_id,
      scheduler_cluster_id: distribution.scheduler_cluster_id,
      url: distribution.url,
      tag: distribution.tag,
      application: distribution.application,
      state: isOver ? 'Succeeded' : 'Running',
      content_length: distribution.content_length,
      piece_length: pieceLength,
      piece_count: this.#pieceCount,
      created_at_ms: distribution.started_at_ms,
      updated_at_ms: distribution.started_at_ms + this.#atMs,
      peers: peers.length,
      peers_running: count('Running'),
      peers_finished: count('Succeeded'),
      peers_failed: count('Failed'),
      origin_bytes: isOver ? distribution.origin_bytes : this.#originPieces * pieceLength,
      peer_bytes: isOver ? distribution.peer_bytes : this.#peerPieces * pieceLength,
    };
  }

  #isRunning(peerId: string): boolean {
    const peer = this.#recording.peers[Number(peerId)];
    return peer !== undefined && stateOf(peer, this.#atMs) === 'Running';
  }
}

function stateOf(peer: Recording['peers'][number], atMs: number): string {
  if (peer.held_before) return 'Succeeded';
  if (peer.began_ms > atMs) return 'Pending';
  if (peer.ended_ms === 0 || peer.ended_ms > atMs) return 'Running';
  return peer.failed ? 'Failed' : 'Succeeded';
}

/** By the place in the recording: one host may have had several downloads. */
function idOf(index: number): string {
  return String(index);
}

/** Nobody remembers how many pieces there were: who got most got all. */
function mostPieces({ moves, peers }: Recording): number {
  const got = peers.map(() => 0);
  for (let at = 0; at < moves.length; at += width) {
    const [, child = 0, , pieces = 0] = moves.slice(at, at + width);
    got[child] = (got[child] ?? 0) + pieces;
  }
  return got.reduce((most, pieces) => Math.max(most, pieces), 0);
}
