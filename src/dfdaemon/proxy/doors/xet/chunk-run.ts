/** Parses chunks as they lie in a xorb, one after the other: each an eight-byte header and its data, compressed or not. */
import { decodeLz4Frame } from './lz4-frame.ts';
import { chunkHash, hashBytes, type ChunkHashes } from './xet-hash.ts';

/** The result of reading a run of chunks. */
export interface ChunkRun extends ChunkHashes {
  /** Stored length of each chunk in the xorb, header included. */
  readonly storedLengths: Uint32Array;
}

export const chunkHeaderBytes = 8;
/** The specification allows 128 KiB of data; compressed data may be at most twice as long. */
const maxDataBytes = 128 * 1024;

/** Reads chunks as they come, and hashes their data. */
export class ChunkReader {
  readonly #storedLengths: number[] = [];
  readonly #lengths: number[] = [];
  readonly #hashes: Buffer[] = [];
  /** The beginning of a chunk that is not complete yet. */
  #rest: Buffer = Buffer.alloc(0);

  /** @param bytes the next ones; not used after the call. Throws RangeError for bytes that are no run of chunks. */
  push(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (all.length - at >= chunkHeaderBytes) {
      const { scheme, storedBytes, dataBytes } = headerOf(all.subarray(at));
      const end = at + chunkHeaderBytes + storedBytes;
      if (end > all.length) break;
      this.#hashes.push(chunkHash(dataOf(all.subarray(at + chunkHeaderBytes, end), scheme, dataBytes)));
      this.#storedLengths.push(end - at);
      this.#lengths.push(dataBytes);
      at = end;
    }
    this.#rest = Buffer.from(all.subarray(at));
  }

  /** Throws RangeError when the last chunk is cut off. */
  end(): ChunkRun {
    if (this.#rest.length > 0) throw new RangeError('the last chunk is cut off');
    return {
      storedLengths: Uint32Array.from(this.#storedLengths),
      lengths: Uint32Array.from(this.#lengths),
      hashes: new Uint8Array(Buffer.concat(this.#hashes, this.#hashes.length * hashBytes)),
    };
  }
}

interface ChunkHeader {
  readonly scheme: number;
  readonly storedBytes: number;
  readonly dataBytes: number;
}

function headerOf(bytes: Buffer): ChunkHeader {
  const header = { scheme: bytes.readUInt8(4), storedBytes: bytes.readUIntLE(1, 3), dataBytes: bytes.readUIntLE(5, 3) };
  const fits = header.dataBytes <= maxDataBytes && header.storedBytes <= 2 * maxDataBytes;
  if (bytes[0] !== 0 || !fits) throw new RangeError('no header of a chunk');
  return header;
}

function dataOf(stored: Buffer, scheme: number, lengthBytes: number): Buffer {
  if (scheme === 0) {
    if (stored.length !== lengthBytes) throw new RangeError('a chunk has two lengths');
    return stored;
  }
  if (scheme === 1) return decodeLz4Frame(stored, lengthBytes);
  if (scheme === 2) return regrouped(decodeLz4Frame(stored, lengthBytes));
  throw new RangeError(`a chunk is compressed in a way of number ${scheme}, which is not known`);
}

/** Restores the order of bytes that were grouped: all first bytes of groups of four, then all second ones, and so on. */
function regrouped(grouped: Buffer): Buffer {
  const data = Buffer.allocUnsafe(grouped.length);
  let from = 0;
  for (let lane = 0; lane < 4; lane += 1)
    for (let to = lane; to < data.length; to += 4) data[to] = grouped[from++] ?? 0;
  return data;
}
