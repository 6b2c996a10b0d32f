/** Content digests as the protocols write them: `algorithm:value`. */
import { createHash, timingSafeEqual, type Hash } from 'node:crypto';
import { crc32 } from './crc32.ts';
import { DragonflyError } from './errors.ts';

const hexLengths = { md5: 32, sha1: 40, sha256: 64, sha512: 128 } as const;

export type DigestAlgorithm = keyof typeof hexLengths | 'crc32';

export interface Digest {
  readonly algorithm: DigestAlgorithm;
  /** Lower-case hex; for crc32 the decimal number, as pieces carry it on the wire. */
  readonly value: string;
}

export function parseDigest(text: string): Digest {
  const [algorithm = '', value = '', ...rest] = text.split(':');
  const invalid = (what: string): never => {
    throw new DragonflyError('INVALID_ARGUMENT', `digest "${text}" is not valid: ${what}`, {
      hint: 'Write it as algorithm:value, for example sha256:<64 hexadecimal digits>.',
    });
  };
  if (rest.length > 0 || value === '') return invalid('expected exactly one colon');
  if (algorithm === 'crc32') {
    return /^\d{1,10}$/.test(value)
      ? { algorithm, value: String(Number(value)) }
      : invalid('crc32 is a decimal number');
  }
  if (!Object.hasOwn(hexLengths, algorithm)) return invalid('the algorithm must be md5, sha1, sha256, sha512 or crc32');
  const known = algorithm as keyof typeof hexLengths;
  const length = hexLengths[known];
  if (!new RegExp(`^[0-9a-fA-F]{${length}}$`).test(value))
    return invalid(`${known} needs ${length} hexadecimal digits`);
  return { algorithm: known, value: value.toLowerCase() };
}

export function formatDigest(digest: Digest): string {
  return `${digest.algorithm}:${digest.value}`;
}

export function sameDigest(a: Digest, b: Digest): boolean {
  return (
    a.algorithm === b.algorithm &&
    a.value.length === b.value.length &&
    timingSafeEqual(Buffer.from(a.value), Buffer.from(b.value))
  );
}

/** Running digest over content that arrives in order. */
export class DigestStream {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash | undefined;
  #crc = 0;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.#hash = algorithm === 'crc32' ? undefined : createHash(algorithm);
  }

  update(chunk: Uint8Array): this {
    if (this.#hash) this.#hash.update(chunk);
    else this.#crc = crc32(chunk, this.#crc);
    return this;
  }

  finish(): Digest {
    return { algorithm: this.algorithm, value: this.#hash ? this.#hash.digest('hex') : String(this.#crc) };
  }
}
