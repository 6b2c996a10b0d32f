/**
 * The digests that single pieces of one download have at the origin. This node reports those of pieces it fetches
 * there, and compares pieces of other nodes with the digests it was told before they count.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError } from '../../../core/errors.ts';
import { pieceSpan } from '../../../core/piece-layout.ts';
import { PieceSet } from '../../../swarm/shared/piece-set.ts';
import { digestBytes, sameBytes } from '../../../swarm/shared/piece-digests.ts';
import { daemonLimits } from '../../limits.ts';
import type { SourceOptions } from '../../source/source.ts';
import type { Sources } from '../../source/sources.ts';
import type { PieceRecord } from '../../storage/metadata.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import { blake3, type IncomingHash, type PieceHasher, type StoredBytes } from './piece-hasher.ts';

/** Digests of consecutive pieces, as node and scheduler exchange them. */
export interface DigestsMessage {
  /** Number of the first piece; the others follow it. */
  readonly first: number;
  /** `digestBytes` each. From the scheduler, none: nobody knows any more, or this node shall ask the origin (`certain`). */
  readonly digests: Uint8Array;
  readonly validator: string;
  /** From the scheduler: beyond doubt. To the scheduler: the origin was asked only for this. */
  readonly certain: boolean;
}

export interface PieceProofOptions {
  readonly stored: StoredTask;
  readonly hasher: PieceHasher;
  readonly sources: Pick<Sources, 'open'>;
  readonly source: SourceOptions & { readonly url: string };
  /** This node may ask the origin. */
  readonly mayAsk: boolean;
  /** Aborts when the download ends. */
  readonly signal: AbortSignal;
  readonly tell: (message: DigestsMessage) => void;
}

interface Told {
  readonly digest: Uint8Array;
  readonly certain: boolean;
}

export class PieceProof {
  readonly #options: PieceProofOptions;
  readonly #told = new Map<number, Told>();
  readonly #waiting = new Map<number, Set<() => void>>();
  /** Pieces of other nodes for which no digest is known. */
  #unproven = new PieceSet();
  /** Held pieces that are not what the origin has. */
  readonly #corrupt = new Map<number, PieceRecord>();
  /** Pieces that did not match a digest that a single host has told. */
  readonly #doubted = new Set<number>();
  readonly #hashing = new Set<Promise<void>>();
  #expected = false;
  /** A digest was withdrawn, or promised and never told. */
  #isBroken = false;
  #validator = '';
  #checks = 0;

  constructor(options: PieceProofOptions) {
    this.#options = options;
  }

  /** Digests of all pieces are promised: a piece waits a moment for its own. */
  expect(expected: boolean): void {
    this.#expected = expected;
  }

  get isExpected(): boolean {
    return this.#expected;
  }

  /** Validator of the version that this node gets from the origin. */
  atOrigin(validator: string | undefined): void {
    this.#validator = validator ?? '';
  }

  /** Pieces were accepted for which a promised digest never came. */
  get isOpen(): boolean {
    return this.#corrupt.size > 0 || (this.#isBroken && this.#unproven.count > 0);
  }

  /** Held pieces that nothing proves to be right. */
  isUnproven({ number }: PieceRecord): boolean {
    return this.#unproven.has(number);
  }

  /** The scheduler has told. */
  take({ first, digests, certain }: DigestsMessage): void {
    if (digests.length === 0) return certain ? void this.#check(first) : this.#takeBack(first);
    for (let place = 0; (place + 1) * digestBytes <= digests.length; place += 1) {
      const piece = first + place;
      if (piece >= (this.#options.stored.layout?.pieceCount ?? daemonLimits.earlyDigests)) return;
      const digest = digests.slice(place * digestBytes, (place + 1) * digestBytes);
      this.#told.set(piece, { digest, certain });
      for (const wake of this.#waiting.get(piece) ?? []) wake();
      if (this.#unproven.has(piece)) this.#compareLate(piece);
    }
  }

  /** For a piece requested from another node. Undefined where no digest is promised to compare with. */
  incoming(number: number): IncomingHash | undefined {
    return this.#expected || this.#told.has(number) ? this.#options.hasher.incoming() : undefined;
  }

  /**
   * A piece has come from another node; it counts when this resolves. Rejects with DIGEST_MISMATCH when it is not the
   * origin's. @param hash has taken all of its bytes.
   */
  async prove(number: number, bytes: StoredBytes, hash?: IncomingHash): Promise<void> {
    if (!this.#told.has(number) && this.#expected) await this.#arrival(number);
    if (!this.#told.has(number)) return void this.#unproven.add(number);
    const actual = await (hash?.digest() ?? this.#options.hasher.hash(bytes));
    const told = this.#told.get(number);
    if (!told) return void this.#unproven.add(number);
    if (sameBytes(told.digest, actual)) return void this.#unproven.delete(number);
    if (!told.certain) this.#doubted.add(number);
    throw new DragonflyError(
      told.certain ? 'DIGEST_MISMATCH' : 'UNAVAILABLE',
      `piece ${number} is not what ${told.certain ? 'the origin has' : 'one node says the origin has'}`,
    );
  }

  /** The piece was refused although it may be right; the scheduler finds out. */
  wasDoubted(number: number | undefined): boolean {
    return number !== undefined && this.#doubted.delete(number);
  }

  /** This node has fetched the piece from the origin. */
  fetched({ number }: PieceRecord): void {
    const { tell } = this.#options;
    this.#hashHeld(number, (digests) => tell({ first: number, digests, validator: this.#validator, certain: false }));
  }

  /** Held pieces that proved corrupt; resolves when all known digests are compared. */
  async corrupt(): Promise<readonly PieceRecord[]> {
    while (this.#hashing.size > 0) await Promise.all(this.#hashing);
    return [...this.#corrupt.values()];
  }

  /** Everything is fetched again. */
  reset(): void {
    this.#told.clear();
    this.#corrupt.clear();
    this.#unproven = new PieceSet();
  }

  /** Resolves when the digest is known, or it is clear that it will not be. */
  async #arrival(number: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wakes = this.#waiting.get(number) ?? new Set();
    this.#waiting.set(number, wakes.add(resolve));
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, this.#options.signal]);
    try {
      const patience = delay(daemonLimits.digestPatienceMs, true, { signal }).catch(() => false);
      // A broken promise of digests costs one wait, not one for each piece.
      if (await Promise.race([promise.then(() => false), patience])) this.#giveUpWaiting();
    } finally {
      controller.abort();
      wakes.delete(resolve);
      if (wakes.size === 0) this.#waiting.delete(number);
    }
  }

  #giveUpWaiting(): void {
    this.#expected = false;
    this.#isBroken = true;
  }

  #takeBack(piece: number): void {
    this.#isBroken = true;
    this.#told.delete(piece);
    this.#corrupt.delete(piece);
    const held = this.#options.stored.piece(piece);
    if (held && held.source !== 'origin') this.#unproven.add(piece);
  }

  /** The piece was accepted before its digest was known. */
  #compareLate(number: number): void {
    this.#hashHeld(number, (actual, piece) => {
      const told = this.#told.get(number);
      if (!told) return;
      if (sameBytes(told.digest, actual)) this.#unproven.delete(number);
      else if (told.certain) this.#corrupt.set(number, piece);
    });
  }

  #hashHeld(number: number, use: (digest: Uint8Array, piece: PieceRecord) => void): void {
    const { stored, hasher } = this.#options;
    const hash = async (): Promise<void> => {
      try {
        using piece = stored.openPiece(number);
        use(await hasher.hash(piece), piece);
      } catch {
        // The piece is no longer held, or the store is being closed.
      }
    };
    const hashing = hash().finally(() => this.#hashing.delete(hashing));
    this.#hashing.add(hashing);
  }

  /** Fetches the piece from the origin and reports its digest. */
  async #check(number: number): Promise<void> {
    const { stored, sources, source, mayAsk, signal, tell } = this.#options;
    const { layout } = stored;
    if (!mayAsk || !layout || number >= layout.pieceCount || this.#checks >= daemonLimits.originChecks) return;
    this.#checks += 1;
    const { offset, length } = pieceSpan(layout, number);
    try {
      const body = await sources.open({ ...source, signal, range: { start: offset, length } });
      if (body.startBytes !== offset || (body.contentLengthBytes ?? 0) !== layout.contentLengthBytes)
        return body.cancel();
      const hasher = await blake3();
      let bytes = 0;
      await body.readTo((block) => {
        hasher.update(block);
        bytes += block.length;
        return Promise.resolve();
      });
      const digests = new Uint8Array(hasher.digestBuffer());
      if (bytes === length) tell({ first: number, digests, validator: body.validator ?? '', certain: true });
    } catch {
      // Somebody else is asked.
    }
  }
}
