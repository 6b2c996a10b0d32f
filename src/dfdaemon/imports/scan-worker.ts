/**
 * A thread that reads a file from its beginning while it is still being written, and computes for imported content the
 * digest of the whole, the id that follows from it, the CRC-32 of every piece, and the MD5 of parts. Handles one file
 * after the other.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { crc32 } from '../../core/crc32.ts';

export interface ScanOrder {
  readonly path: string;
  readonly pieceLengthBytes: number;
  /** Hashed after the content, for the id. */
  readonly suffix: string;
  /** Lengths of consecutive parts that cover the whole, whose MD5s are requested. */
  readonly parts?: readonly number[] | undefined;
  /** One number: the final length, or -1 while it is unknown. Once it is set, the file has all bytes. */
  readonly lengthBytes: BigInt64Array;
}

export type ScanAnswer =
  | {
      readonly sha256: string;
      readonly id: string;
      readonly crcs: readonly number[];
      readonly md5s: readonly Uint8Array[];
      readonly lengthBytes: number;
    }
  | { readonly failure: string };

const blockBytes = 2 ** 20;
/** Short, because the writer is about as fast as this thread. */
const pauseMs = 2;

const port = parentPort;
assert(port, 'runs as a worker thread');
const block = Buffer.allocUnsafe(blockBytes);
port.on('message', (order: ScanOrder) => port.postMessage(answer(order)));

function answer(order: ScanOrder): ScanAnswer {
  try {
    return scan(order);
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

function scan({ path, pieceLengthBytes, suffix, parts = [], lengthBytes }: ScanOrder): ScanAnswer {
  const hash = createHash('sha256');
  const crcs: number[] = [];
  const md5s = new PartHashes(parts);
  const fd = openSync(path, 'r');
  let done = 0;
  let crc = 0;
  try {
    for (;;) {
      const total = Number(Atomics.load(lengthBytes, 0));
      const inPiece = done % pieceLengthBytes;
      const read = readSync(fd, block, 0, Math.min(blockBytes, pieceLengthBytes - inPiece), done);
      if (read > 0) {
        const bytes = block.subarray(0, read);
        hash.update(bytes);
        md5s.update(bytes);
        crc = crc32(bytes, inPiece === 0 ? undefined : crc);
        done += read;
        if (done % pieceLengthBytes === 0) crcs.push(crc);
      } else if (total === done) break;
      else if (total !== -1) throw new Error(`the file ends at byte ${done}, expected ${total}`);
      else Atomics.wait(lengthBytes, 0, -1n, pauseMs);
    }
  } finally {
    closeSync(fd);
  }
  if (done % pieceLengthBytes !== 0) crcs.push(crc);
  md5s.end();
  const sha256 = hash.copy().digest('hex');
  return { sha256, id: hash.update(suffix).digest('hex'), crcs, md5s: md5s.done, lengthBytes: done };
}

/** MD5s of consecutive parts. */
class PartHashes {
  readonly done: Uint8Array[] = [];
  readonly #lengths: readonly number[];
  #hash = createHash('md5');
  #inPart = 0;

  constructor(lengths: readonly number[]) {
    this.#lengths = lengths;
  }

  /** A part without bytes is none of the rest. */
  end(): void {
    while (this.#lengths[this.done.length] === 0) this.done.push(Uint8Array.from(createHash('md5').digest()));
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.done.length < this.#lengths.length;) {
      const left = (this.#lengths[this.done.length] ?? 0) - this.#inPart;
      const some = bytes.subarray(at, at + left);
      this.#hash.update(some);
      at += some.length;
      this.#inPart += some.length;
      if (some.length < left) continue;
      this.done.push(Uint8Array.from(this.#hash.digest()));
      this.#hash = createHash('md5');
      this.#inPart = 0;
    }
  }
}
