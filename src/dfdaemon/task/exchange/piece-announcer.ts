/**
 * What this node announces to the children of one task: every piece to every child as it lands. While this node is at
 * the origin, each child hears of different pieces first (SuperSeeder), so that its uplink repeats nothing before
 * everything was sent once.
 */
import { SuperSeeder } from '../../../swarm/peer/super-seeder.ts';
import type { StoredTask } from '../../storage/stored-task.ts';

export interface AnnouncementListener {
  /** The node holds this piece. */
  has(piece: number): void;
  /** Only this child is told of the piece now, so that it takes it and passes it on. */
  offered(piece: number): void;
  /** The origin has told how the content is cut. */
  layoutKnown(): void;
}

export class PieceAnnouncer implements Disposable {
  readonly #stored: StoredTask;
  readonly #listeners = new Map<string, AnnouncementListener>();
  readonly #stopListening: () => void;
  #streams = 0;
  #seeder: SuperSeeder | undefined;
  #atOrigin = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(stored: StoredTask) {
    this.#stored = stored;
    const stops = [
      stored.onPiece(({ number, source }) => this.#landed(number, source === 'origin')),
      stored.index.onLost((number) => this.#seeder?.pieceLost(number)),
    ];
    this.#stopListening = () => stops.forEach((stop) => stop());
  }

  /** Whether children are told piece by piece; otherwise a child may be told everything at once. */
  get seeding(): boolean {
    return this.#seeder !== undefined;
  }

  get atOrigin(): boolean {
    return this.#atOrigin;
  }

  /** A task that was removed and requested again is another task. */
  isOf(stored: StoredTask): boolean {
    return this.#stored === stored;
  }

  /** Nobody listens, and no state is kept for later listeners, so a new announcer may replace this one. */
  get idle(): boolean {
    return this.#listeners.size === 0 && !this.#atOrigin;
  }

  /**
   * Returns how to stop. Each stream is a child: one that a host opens while its last one hangs knows nothing of what was told
   * there, and two daemons may call themselves by the same name.
   */
  listen(listener: AnnouncementListener): () => void {
    const childId = String((this.#streams += 1));
    this.#listeners.set(childId, listener);
    this.#seeder?.childJoined(childId);
    this.#announce();
    return () => {
      if (!this.#listeners.has(childId)) return;
      this.#listeners.delete(childId);
      this.#seeder?.childLeft(childId);
      this.#announce();
    };
  }

  /** This node goes to the origin: what it holds and fetches is spread before it is repeated. */
  leaseBegan(): void {
    this.#atOrigin = true;
    if (this.#seeder) return this.#seeder.moreComes();
    this.#seeder = new SuperSeeder({}, this.#stored.pieces);
    for (const childId of this.#listeners.keys()) this.#seeder.childJoined(childId);
    this.#announce();
  }

  /** Tells children sooner than the scheduler would. */
  layoutKnown(): void {
    for (const listener of this.#listeners.values()) listener.layoutKnown();
  }

  /** A piece starts to arrive from the origin: a child may receive it at the same time. */
  pieceBegun(piece: number): void {
    if (!this.#stored.layout) return; // nobody can request it yet
    this.#seeder?.pieceHeld(piece);
    this.#announce();
  }

  /** The piece will not be completed; children that were told of it have to be told again. */
  pieceGivenUp(piece: number): void {
    this.#seeder?.pieceLost(piece);
    this.#announce();
  }

  /** Nothing more comes from the origin. What was not sent yet is still spread first. */
  leaseEnded(): void {
    this.#atOrigin = false;
    this.#seeder?.allHeld();
    this.#announce();
  }

  /** A child has requested the piece. */
  asked(piece: number): void {
    this.#seeder?.pieceAsked(piece, performance.now());
  }

  /** A child that requested the piece does not get it from here, or not now. */
  refused(piece: number): void {
    this.#seeder?.pieceRefused(piece, performance.now());
    this.#announce();
  }

  /** A child has received some bytes of it. */
  taken(piece: number): void {
    this.#seeder?.pieceTaken(piece, performance.now());
  }

  /** A child has received the whole piece. */
  served(piece: number): void {
    this.#seeder?.pieceSpread(piece);
    this.#announce();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#stopListening();
  }

  #landed(piece: number, fromOrigin: boolean): void {
    if (!this.#seeder) {
      for (const listener of this.#listeners.values()) listener.has(piece);
      return;
    }
    if (fromOrigin) this.#seeder.pieceHeld(piece);
    else this.#seeder.pieceShared(piece);
    this.#announce();
  }

  #announce(): void {
    const seeder = this.#seeder;
    if (!seeder) return;
    clearTimeout(this.#timer);
    const nowMs = performance.now();
    for (const { childId, piece, exclusive } of seeder.next(nowMs)) {
      const listener = this.#listeners.get(childId);
      if (exclusive) listener?.offered(piece);
      else listener?.has(piece);
    }
    const wakeMs = seeder.nextWakeMs();
    if (wakeMs !== undefined) this.#timer = setTimeout(() => this.#announce(), Math.max(1, wakeMs - nowMs)).unref();
  }
}
