/** Content digests as the protocols write them: `algorithm:value`. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { crc32 } from './crc32.ts';
import { DragonflyError } from './errors.ts';

const hexLengths = { md5: 32, sha1: 40, sha256: 64, sha512: 128 } as const;

/** `md5x8388608`: the digest by which object stores name content uploaded in parts of that many bytes. */
type PartsAlgorithm = `md5x${number}`;

export type DigestAlgorithm = keyof typeof hexLengths | 'crc32' | PartsAlgorithm;

export interface Digest {
  readonly algorithm: DigestAlgorithm;
  /** Lower-case hex; for crc32 the decimal number that pieces carry on the wire; for multipart content followed by the number of parts. */
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
  if (/^md5x[1-9]\d{5,11}$/.test(algorithm)) {
    return /^[0-9a-f]{32}-[1-9]\d{0,4}$/.test(value)
      ? { algorithm: algorithm as PartsAlgorithm, value }
      : invalid('md5 of parts is 32 hexadecimal digits and the count of parts');
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

/** Whether the protocol knows the algorithm; others are only used on this node. */
export function isOfProtocol({ algorithm }: Digest): boolean {
  return !algorithm.startsWith('md5x');
}

interface Running {
  update(chunk: Uint8Array): unknown;
  /** As in Digest. */
  value(): string;
}

/** Running digest over content that arrives in order. */
export class DigestStream {
  readonly algorithm: DigestAlgorithm;
  readonly #running: Running;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.#running = runningOf(algorithm);
  }

  update(chunk: Uint8Array): this {
    this.#running.update(chunk);
    return this;
  }

  finish(): Digest {
    return { algorithm: this.algorithm, value: this.#running.value() };
  }
}

function runningOf(algorithm: DigestAlgorithm): Running {
  if (algorithm === 'crc32') {
    let crc = 0;
    return { update: (chunk) => (crc = crc32(chunk, crc)), value: () => String(crc) };
  }
  if (isPartsAlgorithm(algorithm)) return new PartsHash(Number(algorithm.slice('md5x'.length)));
  const hash = createHash(algorithm);
  return { update: (chunk) => hash.update(chunk), value: () => hash.digest('hex') };
}

function isPartsAlgorithm(algorithm: DigestAlgorithm): algorithm is PartsAlgorithm {
  return algorithm.startsWith('md5x');
}

/** The MD5 of the MD5s of parts, which have equal length except for the last. */
class PartsHash implements Running {
  readonly #partBytes: number;
  readonly #digests: Buffer[] = [];
  #part = createHash('md5');
  #inPart = 0;

  constructor(partBytes: number) {
    this.#partBytes = partBytes;
  }

  update(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const some = chunk.subarray(at, at + this.#partBytes - this.#inPart);
      this.#part.update(some);
      at += some.length;
      this.#inPart += some.length;
      if (this.#inPart === this.#partBytes) this.#endPart();
    }
  }

  value(): string {
    if (this.#inPart > 0) this.#endPart();
    return partsTag(this.#digests);
  }

  #endPart(): void {
    this.#digests.push(this.#part.digest());
    this.#part = createHash('md5');
    this.#inPart = 0;
  }
}

/** The entity tag that object stores give to content uploaded in parts with these MD5s. */
export function partsTag(digests: readonly Uint8Array[]): string {
  const whole = createHash('md5');
  for (const digest of digests) whole.update(digest);
  return `${whole.digest('hex')}-${digests.length}`;
}
