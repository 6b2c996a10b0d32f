/**
 * What a peer at the origin announces to whom: while it holds pieces that nobody else does, every child hears of
 * different ones, so that its uplink repeats nothing before everything was sent once. When everything it holds was
 * sent, or a piece was not fetched in time, the rest is announced to everybody.
 *
 * One instance per task on every host that holds a lease; other hosts announce every piece to everybody.
 */
export interface Announcement {
  readonly childId: string;
  readonly piece: number;
  /** Offered to this child only, which will pass it on. */
  readonly exclusive: boolean;
}

export interface SuperSeederOptions {
  /** Pieces offered to one child and not yet fetched. */
  readonly perChild: number;
  /** A child that does not request an offered piece within this time has it already, or is stuck. */
  readonly claimMs: number;
  /** Time for a child that has requested the piece: offering it to another child while a slow uplink works off its queue would send it twice. */
  readonly patienceMs: number;
  /** While a piece is being sent, a child that receives nothing for this long forfeits it, or later where others receive in long bursts. */
  readonly stalledMs: number;
  /** How many children may forfeit a piece before everybody is told of it. */
  readonly passes: number;
}

export const defaultSuperSeederOptions: SuperSeederOptions = {
  perChild: 1,
  claimMs: 1000,
  patienceMs: 15_000,
  stalledMs: 1000,
  passes: 2,
};

interface Child {
  readonly id: string;
  /** Pieces once offered to the child: one that it did not request is not offered again. */
  readonly asked: Set<number>;
  /** Pieces announced to it and not withdrawn. */
  readonly told: Set<number>;
  offered: number;
}

interface Offer {
  readonly child: Child;
  /** The child has requested the piece. */
  claimed: boolean;
  /** When the child last received bytes of it. */
  takenAtMs: number | undefined;
  untilMs: number;
}

/** How many times longer than the longest pause so far a pause may be, and the share of that longest pause that still counts after a shorter one. */
const pausesOfStall = 4;
const fading = 0.97;

export class SuperSeeder {
  readonly #options: SuperSeederOptions;
  readonly #children = new Map<string, Child>();
  /** Held, never sent and not offered; in order of arrival. */
  readonly #fresh = new Set<number>();
  readonly #offers = new Map<number, Offer>();
  readonly #sent = new Set<number>();
  /** How many children have forfeited the piece. */
  readonly #passed = new Map<number, number>();
  readonly #shared: Set<number>;
  #complete = false;
  /** Longest pause between two parts of a piece that a child received. */
  #pauseMs = 0;

  /** `shared`: pieces held before the lease; others may have them too, so everybody is told of them at once. */
  constructor(options: Partial<SuperSeederOptions> = {}, shared: Iterable<number> = []) {
    this.#shared = new Set(shared);
    this.#options = { ...defaultSuperSeederOptions, ...options };
  }

  childJoined(childId: string): void {
    if (!this.#children.has(childId))
      this.#children.set(childId, { id: childId, asked: new Set(), told: new Set(), offered: 0 });
  }

  childLeft(childId: string): void {
    this.#children.delete(childId);
    for (const [piece, offer] of this.#offers) {
      if (offer.child.id !== childId) continue;
      this.#offers.delete(piece);
      this.#fresh.add(piece);
    }
  }

  /** Received from another node: children may get it from there, and would ignore an offer of it. */
  pieceShared(piece: number): void {
    if (!this.#sent.has(piece) && !this.#offers.has(piece) && !this.#fresh.has(piece)) this.#shared.add(piece);
  }

  /** Came from the origin, so nobody else has it. */
  pieceHeld(piece: number): void {
    if (!this.#shared.has(piece) && !this.#sent.has(piece) && !this.#offers.has(piece)) this.#fresh.add(piece);
  }

  /** Another lease begins: more pieces will come from the origin. Pieces announced to everybody stay so. */
  moreComes(): void {
    if (this.#isSpread) {
      for (const piece of this.#sent) this.#shared.add(piece);
      this.#sent.clear();
    }
    this.#complete = false;
  }

  /** The piece was expected from the origin and did not come: once it does, it is announced again. */
  pieceLost(piece: number): void {
    this.#fresh.delete(piece);
    this.#sent.delete(piece);
    this.#passed.delete(piece);
    const offer = this.#offers.get(piece);
    if (offer) offer.child.offered -= 1;
    this.#offers.delete(piece);
    for (const child of this.#children.values()) {
      child.asked.delete(piece);
      child.told.delete(piece);
    }
  }

  /** No further pieces will come. */
  allHeld(): void {
    this.#complete = true;
  }

  /** A child has requested the piece, whether or not it gets it at once. */
  pieceAsked(piece: number, nowMs: number): void {
    const offer = this.#offers.get(piece);
    if (!offer || offer.claimed) return;
    offer.claimed = true;
    offer.untilMs = nowMs + this.#options.patienceMs;
  }

  /** The child was sent away, or has given up: it may come again, within the time of a new offer. */
  pieceRefused(piece: number, nowMs: number): void {
    const offer = this.#offers.get(piece);
    if (offer?.claimed !== true) return;
    offer.claimed = false;
    offer.takenAtMs = undefined;
    offer.untilMs = nowMs + this.#options.claimMs;
  }

  /** The child has received some more of it; the pauses of all children tell when one is stuck. */
  pieceTaken(piece: number, nowMs: number): void {
    const offer = this.#offers.get(piece);
    if (offer?.claimed !== true) return;
    if (offer.takenAtMs !== undefined) this.#pauseMs = Math.max(nowMs - offer.takenAtMs, fading * this.#pauseMs);
    offer.takenAtMs = nowMs;
    const { stalledMs, patienceMs } = this.#options;
    offer.untilMs = nowMs + Math.min(patienceMs, Math.max(stalledMs, pausesOfStall * this.#pauseMs));
  }

  /** The child got the piece from here, or announced that it got it elsewhere. */
  pieceSpread(piece: number): void {
    this.#sent.add(piece);
    this.#fresh.delete(piece);
    const offer = this.#offers.get(piece);
    if (!offer) return;
    this.#offers.delete(piece);
    offer.child.offered -= 1;
  }

  /** What to announce now. Call after every event above and at nextWakeMs. */
  next(nowMs: number): Announcement[] {
    const announcements: Announcement[] = [];
    for (const [piece, offer] of this.#offers) {
      if (offer.untilMs > nowMs) continue;
      offer.child.offered -= 1;
      this.#offers.delete(piece);
      this.#pass(piece);
    }
    for (const piece of this.#fresh) {
      const child = this.#leastOffered(piece);
      if (!child && this.#isBusy) break;
      this.#fresh.delete(piece);
      if (!child) {
        this.#sent.add(piece); // nobody requested it: announce it to all
        continue;
      }
      this.#offers.set(piece, { child, claimed: false, takenAtMs: undefined, untilMs: nowMs + this.#options.claimMs });
      child.offered += 1;
      child.asked.add(piece);
      announcements.push({ childId: child.id, piece, exclusive: true });
    }
    this.#tell(this.#shared, announcements);
    if (this.#isSpread) this.#tell(this.#sent, announcements);
    return announcements;
  }

  #pass(piece: number): void {
    const passed = (this.#passed.get(piece) ?? 0) + 1;
    this.#passed.set(piece, passed);
    if (passed < this.#options.passes) this.#fresh.add(piece);
    else this.#sent.add(piece);
  }

  get #isSpread(): boolean {
    return this.#complete && this.#fresh.size === 0 && this.#offers.size === 0;
  }

  nextWakeMs(): number | undefined {
    let wake: number | undefined;
    for (const offer of this.#offers.values()) wake = Math.min(wake ?? offer.untilMs, offer.untilMs);
    return wake;
  }

  /** Some child has its maximum of offers, or there is no child: waiting can help. */
  get #isBusy(): boolean {
    if (this.#children.size === 0) return true;
    for (const child of this.#children.values()) if (child.offered >= this.#options.perChild) return true;
    return false;
  }

  #leastOffered(piece: number): Child | undefined {
    let best: Child | undefined;
    for (const child of this.#children.values()) {
      if (child.offered >= this.#options.perChild || child.asked.has(piece)) continue;
      if (!best || child.asked.size < best.asked.size) best = child;
    }
    return best;
  }

  #tell(pieces: ReadonlySet<number>, announcements: Announcement[]): void {
    for (const child of this.#children.values()) {
      for (const piece of pieces) {
        if (child.told.has(piece)) continue;
        child.told.add(piece);
        announcements.push({ childId: child.id, piece, exclusive: false });
      }
    }
  }
}
