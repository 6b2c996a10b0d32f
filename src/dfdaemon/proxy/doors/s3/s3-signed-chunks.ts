/**
 * Decodes bodies whose chunks are signed one after the other (`aws-chunked`, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, with
 * or without a trailer). The content comes out, the last bytes of each chunk only once its signature was verified. The
 * store could not verify them: the chain begins with the signature of a request that it does not receive. Unsigned
 * chunks, which the store does verify, are only decoded.
 */
import { createHash, createHmac, timingSafeEqual, type Hash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { S3Refusal } from './s3-refusal.ts';

export interface ChunkSigning {
  /** Signature of the request, with which the chain begins. */
  readonly signature: string;
  /** As `20260102T030405Z`. */
  readonly date: string;
  readonly region: string;
  readonly secretKey: string;
}

/** Longest `<size>;chunk-signature=<64 digits>`, or line of a trailer. */
const longestLine = 1024;
const mostTrailers = 16;
const noHash = createHash('sha256').digest('hex');

type State = 'head' | 'data' | 'after data' | 'trailer' | 'end';

export class SignedChunks extends Transform {
  readonly #chain: { readonly key: Buffer; readonly scope: string; readonly date: string } | undefined;
  readonly #hasTrailer: boolean;
  /** Decoded length according to the header: what the store is told. */
  readonly #lengthBytes: number | undefined;
  #takenBytes = 0;
  #previous: string;
  #state: State = 'head';
  #line = '';
  #claimed = '';
  #left = 0;
  #hash: Hash = createHash('sha256');
  /** The end of the current chunk, held back until its signature was verified. */
  #held: Buffer | undefined;
  readonly #trailer: string[] = [];

  /** @param signing undefined for unsigned chunks. */
  constructor(
    signing: ChunkSigning | undefined,
    { hasTrailer, lengthBytes }: { readonly hasTrailer: boolean; readonly lengthBytes?: number },
  ) {
    super();
    this.#hasTrailer = hasTrailer;
    this.#lengthBytes = lengthBytes;
    this.#previous = signing?.signature ?? '';
    if (!signing) return;
    const { date, region, secretKey } = signing;
    const day = date.slice(0, 8);
    const key = [day, region, 's3', 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secretKey}`));
    this.#chain = { key, date, scope: `${day}/${region}/s3/aws4_request` };
  }

  override _transform(block: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    try {
      for (let at = 0; at < block.length;)
        at = this.#state === 'data' ? this.#data(block, at) : this.#lineIn(block, at);
      callback();
    } catch (error) {
      callback(error as Error);
    }
  }

  override _flush(callback: TransformCallback): void {
    callback(this.#state === 'end' ? null : malformed('ends before its last chunk'));
  }

  /** Returns where the rest of the block begins. */
  #data(block: Buffer, at: number): number {
    const part = block.subarray(at, at + this.#left);
    if (this.#chain) this.#hash.update(part);
    this.#left -= part.length;
    if (this.#held) this.push(this.#held);
    this.#held = part;
    if (this.#left === 0) {
      this.#prove('AWS4-HMAC-SHA256-PAYLOAD', [noHash, this.#hash.digest('hex')]);
      this.push(part);
      this.#held = undefined;
      this.#state = 'after data';
    }
    return at + part.length;
  }

  #lineIn(block: Buffer, at: number): number {
    if (this.#state === 'end') throw malformed('goes on after its last chunk');
    const end = block.indexOf(0x0a, at);
    const to = end === -1 ? block.length : end + 1;
    this.#line += block.toString('latin1', at, to);
    if (this.#line.length > longestLine) throw malformed('has a line that is too long');
    if (end === -1) return to;
    if (!this.#line.endsWith('\r\n')) throw malformed('has a line without its end');
    const line = this.#line.slice(0, -2);
    this.#line = '';
    this.#take(line);
    return to;
  }

  #take(line: string): void {
    if (this.#state === 'after data') {
      if (line !== '') throw malformed('has a chunk that is longer than it says');
      this.#state = 'head';
    } else if (this.#state === 'trailer') this.#takeTrailer(line);
    else {
      const [, size, signature = ''] = /^([0-9a-f]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(line) ?? [];
      if (size === undefined || (this.#chain && signature === '')) throw malformed('has a chunk without a signature');
      this.#left = Number.parseInt(size, 16);
      this.#requireFit();
      this.#claimed = signature;
      this.#hash = createHash('sha256');
      this.#state = this.#left === 0 ? 'trailer' : 'data';
      if (this.#left === 0) this.#prove('AWS4-HMAC-SHA256-PAYLOAD', [noHash, noHash]);
    }
  }

  /** The store would take surplus bytes for the next request, and missing ones for the start of it. */
  #requireFit(): void {
    this.#takenBytes += this.#left;
    const said = this.#lengthBytes ?? this.#takenBytes;
    if (this.#takenBytes > said || (this.#left === 0 && this.#takenBytes < said))
      throw malformed('has another length than it says');
  }

  #takeTrailer(line: string): void {
    if (line !== '') {
      if (!this.#hasTrailer || this.#trailer.length === mostTrailers) throw malformed('has a trailer nobody announced');
      this.#trailer.push(line);
      return;
    }
    // Some clients write an empty line between the last chunk and the trailer.
    if (this.#hasTrailer && this.#trailer.length === 0) return;
    if (this.#hasTrailer && this.#chain) {
      const [, claimed] = /^x-amz-trailer-signature:\s*([0-9a-f]{64})$/i.exec(this.#trailer.pop() ?? '') ?? [];
      if (claimed === undefined) throw malformed('has a trailer without a signature');
      this.#claimed = claimed;
      const canonical = this.#trailer.map(
        (field) => `${field.replace(/^([^:]*):\s*/, (_, name: string) => `${name.toLowerCase()}:`)}\n`,
      );
      this.#prove('AWS4-HMAC-SHA256-TRAILER', [createHash('sha256').update(canonical.join('')).digest('hex')]);
    }
    this.#state = 'end';
  }

  #prove(algorithm: string, hashes: readonly string[]): void {
    if (!this.#chain) return;
    const { key, date, scope } = this.#chain;
    const own = hmac(key, [algorithm, date, scope, this.#previous, ...hashes].join('\n'));
    if (!timingSafeEqual(own, Buffer.from(this.#claimed, 'hex')))
      throw new S3Refusal('SignatureDoesNotMatch', 'The signature of a chunk does not match what it holds.');
    this.#previous = this.#claimed;
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function malformed(what: string): S3Refusal {
  return new S3Refusal('InvalidRequest', `The body ${what}.`);
}
