/**
 * Repeatable chance and rough handling, for the fuzz tests. `DRAGONFLY_FUZZ_SECONDS` makes them longer than the few seconds
 * of the suite; `DRAGONFLY_FUZZ_SEED` repeats what a failure printed.
 */
export const fuzzSeconds = Number(process.env['DRAGONFLY_FUZZ_SECONDS'] ?? 3);
export const firstFuzzSeed = Number(process.env['DRAGONFLY_FUZZ_SEED'] ?? Math.floor(Math.random() * 1e9));

export class FuzzRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }
}

/** Flips bits, cuts, repeats, inserts and overwrites numbers with extreme ones; sometimes does nothing. */
export function mutateBytes(random: FuzzRandom, input: Buffer): Buffer {
  let bytes = Buffer.from(input);
  for (let count = random.below(4); count > 0 && bytes.length > 0; count -= 1) {
    const at = random.below(Math.min(bytes.length, 200)); // heads are short: that is where the meaning is
    switch (random.below(6)) {
      case 0:
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at);
        break;
      case 1:
        bytes = bytes.subarray(0, at);
        break;
      case 2:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.alloc(random.below(50), random.below(256)),
          bytes.subarray(at),
        ]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(20))]);
        break;
      case 4:
        if (at + 4 <= bytes.length) bytes.writeUInt32BE(random.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]), at);
        break;
      default:
        bytes = Buffer.concat([bytes, bytes.subarray(0, at)]);
    }
  }
  return bytes;
}

const texts = [
  '', ' ', '\0', 'x', '-1', '../../../../etc/passwd', 'é'.repeat(40), 'A'.repeat(64), 'a'.repeat(63), 'f'.repeat(6000),
  'sha256:', 'sha256:zz', 'http://', 'http://[', 'http://127.0.0.1:0/', 'file:///etc/passwd', 'data:,x', '%%%', '{}',
] as const; // prettier-ignore
const numbers = [0, 1, -1, 3, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, 0.5] as const;

/** A copy of the message in which one member, however deep, has become something of its type that nobody sends. */
export function mutateMessage<T>(random: FuzzRandom, message: T): T {
  const copy = structuredClone(message);
  const places: { readonly owner: Record<string, unknown>; readonly key: string }[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return;
    for (const [key, member] of Object.entries(value)) {
      if (key === '$case') continue;
      places.push({ owner: value as Record<string, unknown>, key });
      visit(member);
    }
  };
  visit(copy);
  const place = places[random.below(places.length)];
  if (place) place.owner[place.key] = hostile(random, place.owner[place.key]);
  return copy;
}

function hostile(random: FuzzRandom, value: unknown): unknown {
  if (typeof value === 'string') return random.pick(texts);
  if (typeof value === 'number') return random.pick(numbers);
  if (typeof value === 'boolean') return !value;
  if (value instanceof Uint8Array) return Buffer.alloc(random.below(5000), random.below(256));
  if (Array.isArray(value))
    return random.below(2) === 0 ? [] : Array.from({ length: random.below(3000) }, () => value[0]);
  return undefined;
}
