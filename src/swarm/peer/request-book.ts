/** Which pieces a download has requested of whom, and how far each request is. Decides nothing. */
import { DragonflyError } from '../../core/errors.ts';
import type { HostLoad } from './host-load.ts';
import type { Watched } from './life-watch.ts';
import type { ParentStats } from './parent-stats.ts';
import type { PickerLimits } from './picker-limits.ts';
import type { PieceSet } from '../shared/piece-set.ts';

export interface Parent {
  readonly id: string;
  readonly distance: number;
  readonly has: PieceSet;
  readonly stats: ParentStats;
  readonly load: HostLoad;
  readonly life: Watched | undefined;
  /** Number of requests to the parent that block others. */
  inFlight: number;
  /** Running requests; the parent counts them as uploads. */
  serving: number;
}

export interface Request {
  readonly parent: Parent;
  readonly piece: number;
  readonly startedAtMs: number;
  /** `HostLoad.drops` of the parent at that time. */
  readonly drops: number;
  /** Time after which it is hedged. */
  hedgeAtMs: number;
  /** It comes beside others: whatever becomes of it, it holds up no other. */
  readonly beside: boolean;
  /** `waiting` for an answer, `running`: its bytes come in; `aside`: it does not hold up the next request, because it is extra, nearly done or late. */
  state: 'waiting' | 'running' | 'aside';
  /** Its bytes come in. */
  begun: boolean;
}

export class RequestBook {
  readonly #byPiece = new Map<number, Request[]>();
  #waiting = 0;
  #running = 0;

  get waiting(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#running;
  }

  /** Pieces whose bytes come in, those that hold up no other among them. */
  get begun(): number {
    let begun = 0;
    for (const [first] of this.#byPiece.values()) if (first?.begun === true) begun += 1;
    return begun;
  }

  get isEmpty(): boolean {
    return this.#byPiece.size === 0;
  }

  has(piece: number): boolean {
    return this.#byPiece.has(piece);
  }

  /** Everything in flight for the piece, oldest first. */
  of(piece: number): readonly Request[] {
    return this.#byPiece.get(piece) ?? [];
  }

  find(parentId: string, piece: number): Request | undefined {
    return this.#byPiece.get(piece)?.find((request) => request.parent.id === parentId);
  }

  areAny(parent: Parent): boolean {
    for (const requests of this.#byPiece.values())
      if (requests.some((request) => request.parent === parent)) return true;
    return false;
  }

  toParent(parent: Parent): Request[] {
    return Array.from(this.#byPiece.values()).flatMap((requests) =>
      requests.filter((request) => request.parent === parent),
    );
  }

  /** The requests for each piece in flight; those of one piece oldest first. */
  pieces(): Iterable<readonly [piece: number, requests: readonly Request[]]> {
    return this.#byPiece.entries();
  }

  add({ parent, piece, startedAtMs, hedgeAtMs, beside }: Omit<Request, 'state' | 'begun' | 'drops'>): void {
    const state = beside ? 'aside' : 'waiting';
    const { drops } = parent.load;
    const request: Request = { parent, piece, startedAtMs, drops, hedgeAtMs, beside, state, begun: false };
    const requests = this.#byPiece.get(piece);
    if (requests) requests.push(request);
    else this.#byPiece.set(piece, [request]);
    if (beside) return;
    parent.inFlight += 1;
    this.#waiting += 1;
  }

  /** Its bytes arrive; also for a request that was set aside as late. */
  began(request: Request): void {
    this.setAside(request);
    if (!request.begun) request.parent.serving += 1;
    request.begun = true;
    if (request.beside) return;
    request.state = 'running';
    request.parent.inFlight += 1;
    this.#running += 1;
  }

  setAside(request: Request): void {
    if (request.state === 'aside') return;
    if (request.state === 'waiting') this.#waiting -= 1;
    else this.#running -= 1;
    request.state = 'aside';
    request.parent.inFlight -= 1;
    if (request.parent.inFlight < 0 || this.#waiting < 0 || this.#running < 0)
      throw new DragonflyError('INTERNAL', 'more piece requests ended than were started');
  }

  /** Unanswered requests must not block the others; the transport enforces their timeout. */
  setLateAside(startedUntilMs: number): void {
    if (this.#waiting === 0) return;
    for (const requests of this.#byPiece.values()) {
      for (const request of requests)
        if (request.state === 'waiting' && request.startedAtMs <= startedUntilMs) this.setAside(request);
    }
  }

  /** When an answer or a hedge is due; infinite when none is. */
  nextWakeMs(nowMs: number, { answerMs, maxCopies }: Pick<PickerLimits, 'answerMs' | 'maxCopies'>): number {
    let wake = Number.POSITIVE_INFINITY;
    for (const requests of this.#byPiece.values()) {
      const first = requests[0];
      if (!first) continue;
      if (first.state === 'waiting') wake = Math.min(wake, Math.max(nowMs + 1, first.startedAtMs + answerMs));
      if (first.hedgeAtMs > nowMs && requests.length < maxCopies) wake = Math.min(wake, first.hedgeAtMs);
    }
    return wake;
  }

  /** Whether the parent holds a piece that is late elsewhere. */
  hedges(parent: Parent, nowMs: number): boolean {
    for (const [piece, [first]] of this.#byPiece)
      if (first && first.hedgeAtMs <= nowMs && first.parent !== parent && parent.has.has(piece)) return true;
    return false;
  }

  remove(request: Request): void {
    const left = this.of(request.piece).filter((one) => one !== request);
    if (left.length > 0) this.#byPiece.set(request.piece, left);
    else this.#byPiece.delete(request.piece);
    this.setAside(request);
    if (request.begun) request.parent.serving -= 1;
  }
}
