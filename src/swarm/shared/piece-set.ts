/**
 * Set of piece numbers as a bitmap: what peers hold, lack or want.
 *
 * Wire form (`toBytes` / `fromBytes`): piece n is bit `n % 8` (least significant first) of byte `n / 8`; trailing zero
 * bytes are dropped, so the empty set is zero bytes long. Grows on `add`, up to `maxPieceNumber`.
 */
import { DragonflyError } from '../../core/errors.ts';

/** 64 MiB × 2^20 = 64 TiB; a bitmap of this size is 128 KiB, all that a hostile number can make us allocate. */
export const maxPieceNumber = 2 ** 20 - 1;

export class PieceSet implements Iterable<number> {
  #words: Uint32Array;
  #count = 0;

  /** `capacity` only avoids growing; the set starts empty. */
  constructor(capacity = 32) {
    const most = Math.min(capacity, maxPieceNumber + 1);
    this.#words = new Uint32Array(Math.max(1, Math.ceil(most / 32)));
  }

  static of(numbers: Iterable<number>): PieceSet {
    const set = new PieceSet();
    for (const number of numbers) set.add(number);
    return set;
  }

  /** Pieces first … first + count − 1. Throws INVALID_ARGUMENT for an impossible number of them, before any work is done. */
  static range(first: number, count: number): PieceSet {
    if (first + count > maxPieceNumber + 1)
      throw new DragonflyError('INVALID_ARGUMENT', `${count} pieces from ${first} on are more than there can be`);
    const set = new PieceSet(first + count);
    for (let number = first; number < first + count; number += 1) set.add(number);
    return set;
  }

  /** Throws INVALID_ARGUMENT when the bitmap names pieces past the limit. */
  static fromBytes(bytes: Uint8Array): PieceSet {
    if (bytes.length * 8 > maxPieceNumber + 1) {
      throw new DragonflyError(
        'INVALID_ARGUMENT',
        `a piece bitmap of ${bytes.length} bytes is longer than ${(maxPieceNumber + 1) / 8} bytes`,
      );
    }
    const set = new PieceSet(bytes.length * 8);
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index] ?? 0;
      const word = index >>> 2;
      set.#words[word] = ((set.#words[word] ?? 0) | (byte << ((index & 3) * 8))) >>> 0;
      set.#count += bitCount(byte);
    }
    return set;
  }

  get count(): number {
    return this.#count;
  }

  has(number: number): boolean {
    return number <= maxPieceNumber && (((this.#words[number >>> 5] ?? 0) >>> (number & 31)) & 1) === 1;
  }

  /** True when the piece was not in the set before. Throws INVALID_ARGUMENT for a number outside 0 … maxPieceNumber. */
  add(number: number): boolean {
    if (!Number.isInteger(number) || number < 0 || number > maxPieceNumber) {
      throw new DragonflyError('INVALID_ARGUMENT', `piece number ${number} is outside 0…${maxPieceNumber}`);
    }
    const word = number >>> 5;
    if (word >= this.#words.length) this.#grow(word + 1);
    const bit = (1 << (number & 31)) >>> 0;
    const old = this.#words[word] ?? 0;
    if ((old & bit) !== 0) return false;
    this.#words[word] = (old | bit) >>> 0;
    this.#count += 1;
    return true;
  }

  /** True when the piece was in the set. */
  delete(number: number): boolean {
    if (!this.has(number)) return false;
    const word = number >>> 5;
    this.#words[word] = ((this.#words[word] ?? 0) & ~(1 << (number & 31))) >>> 0;
    this.#count -= 1;
    return true;
  }

  addAll(other: PieceSet): void {
    const theirs = other.#words;
    if (theirs.length > this.#words.length) this.#grow(theirs.length);
    for (let word = 0; word < theirs.length; word += 1) {
      const old = this.#words[word] ?? 0;
      const joined = (old | (theirs[word] ?? 0)) >>> 0;
      if (joined === old) continue;
      this.#words[word] = joined;
      this.#count += bitCount(joined) - bitCount(old);
    }
  }

  /** The pieces that are in this set but not in the other. */
  difference(other: PieceSet): PieceSet {
    const result = new PieceSet(this.#words.length * 32);
    for (let word = 0; word < this.#words.length; word += 1) {
      const left = ((this.#words[word] ?? 0) & ~(other.#words[word] ?? 0)) >>> 0;
      result.#words[word] = left;
      result.#count += bitCount(left);
    }
    return result;
  }

  intersection(other: PieceSet): PieceSet {
    return this.difference(this.difference(other));
  }

  /** Size of the difference without building it. */
  countNotIn(other: PieceSet): number {
    let count = 0;
    for (let word = 0; word < this.#words.length; word += 1)
      count += bitCount((this.#words[word] ?? 0) & ~(other.#words[word] ?? 0));
    return count;
  }

  hasAll(other: PieceSet): boolean {
    return other.countNotIn(this) === 0;
  }

  /** The highest number; undefined for the empty set. */
  get last(): number | undefined {
    for (let word = this.#words.length - 1; word >= 0; word -= 1) {
      const bits = this.#words[word] ?? 0;
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
    }
    return undefined;
  }

  /** Lowest number in `from` … `end` − 1 that is not in the set; undefined when all are. */
  firstMissing(from: number, end: number): number | undefined {
    for (let number = from; number < end; number += 1) {
      if ((number & 31) === 0 && (this.#words[number >>> 5] ?? 0) === 0xffff_ffff) number += 31;
      else if (!this.has(number)) return number;
    }
    return undefined;
  }

  /** Ascending. */
  *[Symbol.iterator](): IterableIterator<number> {
    for (let word = 0; word < this.#words.length; word += 1) {
      let bits = this.#words[word] ?? 0;
      while (bits !== 0) {
        const lowest = 31 - Math.clz32(bits & -bits);
        yield word * 32 + lowest;
        bits = (bits & (bits - 1)) >>> 0;
      }
    }
  }

  /** The pieces in both sets, ascending. An array, because iterating it is several times cheaper than a generator. */
  common(other: PieceSet): number[] {
    const numbers: number[] = [];
    const words = Math.min(this.#words.length, other.#words.length);
    for (let word = 0; word < words; word += 1) {
      let bits = (this.#words[word] ?? 0) & (other.#words[word] ?? 0);
      while (bits !== 0) {
        numbers.push(word * 32 + (31 - Math.clz32(bits & -bits)));
        bits &= bits - 1;
      }
    }
    return numbers;
  }

  /** The lowest number in both. */
  firstCommon(other: PieceSet): number | undefined {
    const words = Math.min(this.#words.length, other.#words.length);
    for (let word = 0; word < words; word += 1) {
      const bits = (this.#words[word] ?? 0) & (other.#words[word] ?? 0);
      if (bits !== 0) return word * 32 + (31 - Math.clz32(bits & -bits));
    }
    return undefined;
  }

  toBytes(): Uint8Array {
    let last = this.#words.length - 1;
    while (last >= 0 && this.#words[last] === 0) last -= 1;
    if (last < 0) return new Uint8Array(0);
    const bytes = new Uint8Array(last * 4 + 4 - (Math.clz32(this.#words[last] ?? 0) >>> 3));
    for (let index = 0; index < bytes.length; index += 1)
      bytes[index] = (this.#words[index >>> 2] ?? 0) >>> ((index & 3) * 8);
    return bytes;
  }

  clone(): PieceSet {
    const copy = new PieceSet(0);
    copy.#words = this.#words.slice();
    copy.#count = this.#count;
    return copy;
  }

  #grow(words: number): void {
    const bigger = new Uint32Array(Math.min((maxPieceNumber + 1) / 32, Math.max(words, this.#words.length * 2)));
    bigger.set(this.#words);
    this.#words = bigger;
  }
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
