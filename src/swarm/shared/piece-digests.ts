/**
 * Digests that the pieces of one content have at its origin, as reported by hosts that fetched them there. A host may
 * lie, so several digests of a piece can be kept until it is certain which one is right.
 */
export const digestBytes = 32;

/** Number of different digests kept of one piece. */
const maxClaims = 4;
/** Hosts whose agreement makes a digest certain. */
const enoughTellers = 2;

export interface Teller {
  readonly hostId: string;
  /** Several hosts with one witness count as one. */
  readonly witness: string;
  /** A seed, which the operator has set up to be trusted. */
  readonly isSeed: boolean;
  /** The origin's validator of the content at that time; empty when there was none. */
  readonly validator: string;
}

interface Claim {
  readonly digest: Uint8Array;
  readonly validator: string;
  /** Witnesses by host. */
  readonly tellers: Map<string, string>;
  certain: boolean;
}

export interface KnownDigest {
  readonly digest: Uint8Array;
  readonly certain: boolean;
}

export class PieceDigests {
  readonly #claims = new Map<number, Claim[]>();
  #count = 0;

  /** Number of digests, counting several of one piece. */
  get count(): number {
    return this.#count;
  }

  /** Pieces for which some digest was reported. */
  get pieces(): Iterable<number> {
    return this.#claims.keys();
  }

  /** Undefined when nothing was reported, or reports contradict each other and it is unknown which is right. */
  known(piece: number): KnownDigest | undefined {
    const claims = this.#claims.get(piece) ?? [];
    const claim = claims.find(({ certain }) => certain) ?? (claims.length === 1 ? claims[0] : undefined);
    return claim && { digest: claim.digest, certain: claim.certain };
  }

  isDisputed(piece: number): boolean {
    return this.#claims.has(piece) && this.known(piece) === undefined;
  }

  /** Anything was told of it. */
  has(piece: number): boolean {
    return this.#claims.has(piece);
  }

  hasTold(piece: number, witness: string): boolean {
    return this.#claims.get(piece)?.some(({ tellers }) => [...tellers.values()].includes(witness)) === true;
  }

  /** Records a report. True when others should learn of it. A second report of the same host only counts for another version of the content. */
  tell(piece: number, digest: Uint8Array, { hostId, witness, isSeed, validator }: Teller): boolean {
    const before = this.known(piece);
    const earlier = this.#claims.get(piece)?.find(({ tellers }) => tellers.has(hostId));
    if (earlier?.validator === validator) return false;
    if (earlier) this.#retract(piece, hostId);
    const claims = this.#claims.get(piece) ?? [];
    let claim = claims.find((one) => sameBytes(one.digest, digest));
    if (!claim) {
      if (claims.length === maxClaims) return false;
      claim = { digest, validator, tellers: new Map(), certain: false };
      claims.push(claim);
      this.#claims.set(piece, claims);
      this.#count += 1;
    }
    claim.tellers.set(hostId, witness);
    if (!claims.some(({ certain }) => certain))
      claim.certain = isSeed || new Set(claim.tellers.values()).size >= enoughTellers;
    return isNews(before, this.known(piece));
  }

  /**
   * Hosts whose report of the piece is certainly false, with those who contradict it. An origin that has another
   * version makes nobody a liar.
   */
  liars(piece: number): { readonly hostIds: readonly string[]; readonly against: readonly string[] } {
    const claims = this.#claims.get(piece) ?? [];
    const right = claims.find(({ certain }) => certain);
    if (!right) return { hostIds: [], against: [] };
    const wrong = claims.filter((claim) => claim !== right && claim.validator === right.validator);
    return { hostIds: wrong.flatMap(({ tellers }) => [...tellers.keys()]), against: [...right.tellers.keys()] };
  }

  /** Drops the digests of this host. Returns the pieces whose digest changed. */
  withdraw(hostId: string): number[] {
    const changed: number[] = [];
    for (const piece of Array.from(this.#claims.keys())) {
      const before = this.known(piece);
      this.#retract(piece, hostId);
      if (isNews(before, this.known(piece))) changed.push(piece);
    }
    return changed;
  }

  #retract(piece: number, hostId: string): void {
    const claims = this.#claims.get(piece) ?? [];
    const left = claims.filter(({ tellers }) => !tellers.delete(hostId) || tellers.size > 0);
    this.#count -= claims.length - left.length;
    if (left.length === 0) this.#claims.delete(piece);
    else this.#claims.set(piece, left);
  }
}

function isNews(before: KnownDigest | undefined, after: KnownDigest | undefined): boolean {
  if (!before || !after) return before !== after;
  return before.certain !== after.certain || !sameBytes(before.digest, after.digest);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, place) => b[place] === byte);
}
