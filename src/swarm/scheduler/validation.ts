/**
 * What makes an event unacceptable. Every check runs before its event changes anything: a rejected event leaves the
 * swarm unchanged and decides nothing; that the peer leaves with its stream is the next event. The roster and the states apply accepted events without checking again.
 */
import { DragonflyError } from '../../core/errors.ts';
import { pieceLayout } from '../../core/piece-layout.ts';
import type { RegisterPeer, TaskLayout } from '../shared/events.ts';
import { maxPieceNumber, type PieceSet } from '../shared/piece-set.ts';
import type { SwarmLimits } from './limits.ts';
import type { Host, Peer, Task } from './records.ts';
import type { Roster } from './roster.ts';
import { nextPeerState, type PeerEvent } from './states.ts';

export class Validation {
  readonly #roster: Roster;
  readonly #limits: SwarmLimits;

  constructor(roster: Roster, limits: SwarmLimits) {
    this.#roster = roster;
    this.#limits = limits;
  }

  /** Throws HOST_UNKNOWN. */
  host(hostId: string): Host {
    const host = this.#roster.hosts.get(hostId);
    if (host) return host;
    throw new DragonflyError('HOST_UNKNOWN', `host ${hostId} is not announced`, {
      hint: 'Announce the host before its peers.',
    });
  }

  /** Throws PEER_UNKNOWN. */
  peer(peerId: string): Peer {
    const peer = this.#roster.peers.get(peerId);
    if (peer) return peer;
    throw new DragonflyError('PEER_UNKNOWN', `peer ${peerId} is not registered`);
  }

  /** Checks that the peer can handle this event now. Throws PEER_UNKNOWN or FAILED_PRECONDITION. */
  transition(peerId: string, event: PeerEvent): void {
    nextPeerState(this.peer(peerId).state, event);
  }

  /** Throws RESOURCE_EXHAUSTED. */
  newHost(): void {
    const { size } = this.#roster.hosts;
    if (size >= this.#limits.hosts) throw exhausted(`this scheduler already knows ${size} hosts`);
  }

  /** Checks a registration, also of a known peer, whose pieces are kept. Throws like the single checks. */
  registration(request: RegisterPeer): Host {
    const host = this.host(request.hostId);
    const task = this.#roster.tasks.get(request.taskId);
    const old = this.#roster.peers.get(request.peerId);
    const others = (task?.peers.size ?? 0) - (task && old?.task === task ? 1 : 0);
    if (!task && this.#roster.tasks.size >= this.#limits.tasks)
      throw exhausted(`this scheduler already knows ${this.#roster.tasks.size} tasks`);
    if (others >= this.#limits.peersPerTask) throw exhausted(`task ${request.taskId} already has ${others} peers`);
    if (request.knownLayout) this.layout(request.taskId, request.knownLayout);
    const layout = task?.layout ?? request.knownLayout;
    if (request.heldPieces) inside(request.heldPieces, layout);
    if (task && old?.task === task) inside(old.pieces, layout);
    return host;
  }

  /** Throws INVALID_ARGUMENT for an impossible layout, or one that contradicts the known one because the object changed at the origin. */
  layout(taskId: string, layout: TaskLayout): void {
    const known = this.#roster.tasks.get(taskId)?.layout;
    if (known && !sameLayout(known, layout)) {
      throw new DragonflyError('INVALID_ARGUMENT', `task ${taskId} has ${describe(known)}, not ${describe(layout)}`, {
        hint: 'The object changed at its origin, or the daemons cut it into pieces differently.',
      });
    }
    const { contentLengthBytes, pieceLengthBytes } = layout;
    const numbers = Number.isSafeInteger(contentLengthBytes) && Number.isSafeInteger(pieceLengthBytes);
    if (numbers && contentLengthBytes >= 0 && pieceLengthBytes > 0 && pieceCount(layout) <= maxPieceNumber + 1) return;
    throw new DragonflyError('INVALID_ARGUMENT', `task ${taskId} cannot have ${describe(layout)}`);
  }

  /** Throws INVALID_ARGUMENT for a piece outside the content. */
  pieces({ layout }: Task, pieces: PieceSet): void {
    inside(pieces, layout);
  }
}

export function sameLayout(a: TaskLayout, b: TaskLayout): boolean {
  return a.contentLengthBytes === b.contentLengthBytes && a.pieceLengthBytes === b.pieceLengthBytes;
}

function inside(pieces: PieceSet, layout: TaskLayout | undefined): void {
  const { last } = pieces;
  if (last === undefined || !layout || last < pieceCount(layout)) return;
  throw new DragonflyError(
    'INVALID_ARGUMENT',
    `piece ${last} is outside the ${pieceCount(layout)} pieces of the content`,
  );
}

function pieceCount({ contentLengthBytes, pieceLengthBytes }: TaskLayout): number {
  return pieceLayout(contentLengthBytes, pieceLengthBytes).pieceCount;
}

function describe(layout: TaskLayout): string {
  return `${layout.contentLengthBytes} bytes in pieces of ${layout.pieceLengthBytes}`;
}

function exhausted(message: string): DragonflyError {
  return new DragonflyError('RESOURCE_EXHAUSTED', message);
}
