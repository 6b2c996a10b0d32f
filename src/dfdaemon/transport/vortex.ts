/**
 * Frames of the piece protocol "Vortex": `id u8, tag u8, length u32`, then `length` bytes of value; integers big-endian.
 *
 * A request is `task id (64 hexadecimal digits), piece number u32`. The answer's value is the record of the piece; the
 * content follows outside of the frame. Tags 0, 2 and 4 are the original's requests: one answer, then the connection
 * ends. `pipelined` is ours, from the reserved range: same layouts, but the connection stays, requests may follow each
 * other without waiting, answers come in order, and an error concerns one request only. A client sends it only to a
 * parent that announced `vortex_persistent`.
 *
 * `streamed`, only to a parent that announced `vortex_streamed`, is as `pipelined`, but may be answered with a piece the
 * parent is still getting: then the head has no digest, and the content comes in chunks, each behind its length (u32) and
 * the CRC-32 of the piece up to the chunk's end (u32). The last sum is that of the piece. A chunk without
 * bytes ends the answer: the piece was given up.
 */
import { DragonflyError } from '../../core/errors.ts';
import { isTaskId } from '../../core/ids.ts';
import { maxErrorMessageBytes, maxHeadBytes } from './limits.ts';

export const tags = {
  downloadPiece: 0,
  pieceContent: 1,
  downloadPersistentPiece: 2,
  downloadPersistentCachePiece: 4,
  pipelinedPiece: 64,
  pipelinedContent: 65,
  streamedPiece: 66,
  streamedContent: 67,
  close: 254,
  error: 255,
} as const;

/** `busy` is our own, used only in answers to pipelined requests: ask somebody else, or later. */
export const errorNumbers = { unknown: 0, invalidArgument: 1, notFound: 2, internal: 3, busy: 64 } as const;

export const headerBytes = 6;
export const requestBytes = headerBytes + 68;

export const chunkHeaderBytes = 8;

/** Fixed part of a piece record: everything but the digest and the parent id. */
const recordBytes = 45;

export interface PieceQuery {
  /** Tag of the answer. */
  readonly answerTag: number;
  /** The connection stays open after the answer. */
  readonly persistent: boolean;
  /** The piece may be sent while it arrives. */
  readonly streamed: boolean;
  readonly taskId: string;
  readonly number: number;
}

/** The record that precedes the content. */
export interface PieceHead {
  readonly number: number;
  readonly offset: number;
  readonly length: number;
  /** `algorithm:value`; empty when the parent has none. */
  readonly digest: string;
  readonly parentId: string;
  readonly costMs: number;
  readonly createdMs: number;
}

/** What a received frame says; `bytes` is how much of the buffer it took. */
export type Answer =
  | { readonly kind: 'content'; readonly head: PieceHead; readonly bytes: number }
  | { readonly kind: 'error'; readonly error: DragonflyError; readonly bytes: number };

export function encodeRequest(tag: number, taskId: string, number: number, id = 0): Buffer {
  const frame = Buffer.allocUnsafe(requestBytes);
  frame.writeUInt8(id & 0xff, 0);
  frame.writeUInt8(tag, 1);
  frame.writeUInt32BE(requestBytes - headerBytes, 2);
  frame.write(taskId, headerBytes, 64, 'latin1');
  frame.writeUInt32BE(number, headerBytes + 64);
  return frame;
}

/** First two bytes of a request of the original; HTTP/2 and TLS begin otherwise. */
export function looksLikeRequest(bytes: Uint8Array): boolean {
  const tag = bytes[1];
  return (
    tag === tags.downloadPiece || tag === tags.downloadPersistentPiece || tag === tags.downloadPersistentCachePiece
  );
}

/**
 * The request at the start of the bytes; undefined while incomplete. Throws PROTOCOL as soon as it cannot become a
 * valid request, INVALID_ARGUMENT (which leaves the connection usable) for a malformed task id.
 */
export function decodeRequest(bytes: Buffer): PieceQuery | undefined {
  if (bytes.length < headerBytes) return undefined;
  const tag = bytes.readUInt8(1);
  const length = bytes.readUInt32BE(2);
  const known =
    tag === tags.downloadPiece ||
    tag === tags.downloadPersistentPiece ||
    tag === tags.downloadPersistentCachePiece ||
    tag === tags.pipelinedPiece ||
    tag === tags.streamedPiece;
  if (!known) throw new DragonflyError('PROTOCOL', `a frame with tag ${tag} is not a piece request`);
  if (length !== requestBytes - headerBytes)
    throw new DragonflyError('PROTOCOL', `a piece request of ${length} bytes is not valid`);
  if (bytes.length < requestBytes) return undefined;
  return {
    answerTag: tag + 1,
    persistent: tag === tags.pipelinedPiece || tag === tags.streamedPiece,
    streamed: tag === tags.streamedPiece,
    taskId: bytes.toString('latin1', headerBytes, headerBytes + 64),
    number: bytes.readUInt32BE(headerBytes + 64),
  };
}

export function requireTaskId(taskId: string): string {
  if (isTaskId(taskId)) return taskId;
  throw new DragonflyError('INVALID_ARGUMENT', 'the task id is not 64 hexadecimal digits');
}

/** Frame of the answer up to where the content begins. */
export function encodePieceHead(tag: number, head: PieceHead, id = 0): Buffer {
  const digest = Buffer.from(head.digest);
  const parentId = Buffer.from(head.parentId);
  const metadataLength = recordBytes + digest.length + parentId.length;
  const frame = Buffer.allocUnsafe(headerBytes + 4 + metadataLength);
  let at = frame.writeUInt8(id & 0xff, 0);
  at = frame.writeUInt8(tag, at);
  at = frame.writeUInt32BE(4 + metadataLength, at);
  at = frame.writeUInt32BE(metadataLength, at);
  at = frame.writeUInt32BE(head.number, at);
  at = frame.writeBigUInt64BE(BigInt(head.offset), at);
  at = frame.writeBigUInt64BE(BigInt(head.length), at);
  at = frame.writeUInt32BE(digest.length, at);
  at += digest.copy(frame, at);
  at = frame.writeUInt32BE(parentId.length, at);
  at += parentId.copy(frame, at);
  at = frame.writeUInt8(1, at); // traffic type: always "remote peer" in an answer of a peer
  at = frame.writeBigUInt64BE(BigInt(Math.floor(head.costMs / 1000)), at);
  frame.writeBigInt64BE(BigInt(Math.floor(head.createdMs / 1000)), at);
  return frame;
}

export interface Chunk {
  readonly bytes: number;
  /** CRC-32 of the piece up to the end of the chunk. */
  readonly crc32: number;
}

export function encodeChunkHeader({ bytes, crc32 }: Chunk): Buffer {
  const frame = Buffer.allocUnsafe(chunkHeaderBytes);
  frame.writeUInt32BE(bytes, 0);
  frame.writeUInt32BE(crc32, 4);
  return frame;
}

/** Sent instead of the next chunk: the piece will not be completed. */
export const givenUp: Chunk = { bytes: 0, crc32: 0 };

/** The chunk header at `start`; undefined while incomplete. PROTOCOL for a chunk that is too long. */
export function decodeChunkHeader(bytes: Buffer, start: number, end: number, leftBytes: number): Chunk | undefined {
  if (end - start < chunkHeaderBytes) return undefined;
  const length = bytes.readUInt32BE(start);
  if (length > leftBytes) throw new DragonflyError('PROTOCOL', `a chunk of ${length} bytes is not valid`);
  return { bytes: length, crc32: bytes.readUInt32BE(start + 4) };
}

export function encodeError(number: number, message: string, id = 0): Buffer {
  const text = Buffer.from(message).subarray(0, maxErrorMessageBytes);
  const frame = Buffer.allocUnsafe(headerBytes + 1 + text.length);
  frame.writeUInt8(id & 0xff, 0);
  frame.writeUInt8(tags.error, 1);
  frame.writeUInt32BE(1 + text.length, 2);
  frame.writeUInt8(number, headerBytes);
  text.copy(frame, headerBytes + 1);
  return frame;
}

/**
 * The answer frame in `bytes` from `start` to `end`; undefined while incomplete. Throws PROTOCOL for anything that is
 * not the answer to a request with `answerTag`, before it is complete where the header already shows it.
 */
export function decodeAnswer(bytes: Buffer, start: number, end: number, answerTag: number): Answer | undefined {
  if (end - start < headerBytes) return undefined;
  const tag = bytes.readUInt8(start + 1);
  const length = bytes.readUInt32BE(start + 2);
  if (tag !== answerTag && tag !== tags.error)
    throw new DragonflyError('PROTOCOL', `the parent answered with tag ${tag}`);
  if (length > maxHeadBytes) throw new DragonflyError('PROTOCOL', `the parent claims a head of ${length} bytes`);
  if (end - start < headerBytes + length) return undefined;
  const value = bytes.subarray(start + headerBytes, start + headerBytes + length);
  const size = headerBytes + length;
  return tag === tags.error
    ? { kind: 'error', error: decodeError(value), bytes: size }
    : { kind: 'content', head: decodePieceHead(value), bytes: size };
}

function decodeError(value: Buffer): DragonflyError {
  if (value.length === 0) throw new DragonflyError('PROTOCOL', 'the parent sent an empty error');
  const number = value.readUInt8(0);
  const message = value.toString('utf8', 1);
  if (number === errorNumbers.notFound)
    return new DragonflyError('PIECE_UNAVAILABLE', `the parent does not hold the piece: ${message}`);
  if (number === errorNumbers.busy) return new DragonflyError('RESOURCE_EXHAUSTED', 'the parent is busy');
  if (number === errorNumbers.invalidArgument)
    return new DragonflyError('PROTOCOL', `the parent refused the request: ${message}`);
  return new DragonflyError('UNAVAILABLE', `the parent failed: ${message}`);
}

function decodePieceHead(value: Buffer): PieceHead {
  const reader = new ValueReader(value);
  const metadataLength = reader.u32();
  if (metadataLength !== value.length - 4)
    throw new DragonflyError('PROTOCOL', 'the lengths in the piece record disagree');
  const number = reader.u32();
  const offset = reader.u64();
  const length = reader.u64();
  const digest = reader.text();
  const parentId = reader.text();
  reader.u8(); // traffic type
  const costMs = reader.u64() * 1000;
  const createdMs = reader.u64() * 1000;
  reader.end();
  return { number, offset, length, digest, parentId, costMs, createdMs };
}

/** Reads fields in order and never past the value. */
class ValueReader {
  readonly #value: Buffer;
  #at = 0;

  constructor(value: Buffer) {
    this.#value = value;
  }

  u8(): number {
    return this.#value.readUInt8(this.#advance(1));
  }

  u32(): number {
    return this.#value.readUInt32BE(this.#advance(4));
  }

  u64(): number {
    const value = Number(this.#value.readBigUInt64BE(this.#advance(8)));
    if (!Number.isSafeInteger(value)) throw new DragonflyError('PROTOCOL', 'a number in the piece record is too large');
    return value;
  }

  text(): string {
    const length = this.u32();
    const start = this.#advance(length);
    return this.#value.toString('utf8', start, start + length);
  }

  end(): void {
    if (this.#at !== this.#value.length) throw new DragonflyError('PROTOCOL', 'the piece record has bytes to spare');
  }

  #advance(count: number): number {
    const start = this.#at;
    if (count > this.#value.length - start) throw new DragonflyError('PROTOCOL', 'the piece record is cut short');
    this.#at += count;
    return start;
  }
}
