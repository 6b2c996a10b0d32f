/** Receives the content of one answer: runs it through the CRC, chunk by chunk where the parent passes it on. */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { endingLeadMs } from '../../swarm/peer/transfer-timing.ts';
import { EndingWatch } from './ending.ts';
import type { PieceRequest } from './piece-request.ts';
import type { ReceiveBuffer } from './receive-buffer.ts';
import { chunkHeaderBytes, decodeChunkHeader, type PieceHead } from './vortex.ts';

/**
 * `more`: the rest is still to come. `chunk`: everything so far has the parent's checksum. `end`: the body is complete. `given
 * up`: the body has ended without a complete piece.
 */
export type Taken = 'more' | 'chunk' | 'end' | 'given up';

export class AnswerBody {
  readonly request: PieceRequest;
  /** Where in the block the unwritten part of the body begins. */
  from: number;
  readonly #head: PieceHead;
  readonly #firstByteMs: number;
  /** The parent does not have the whole piece yet. */
  readonly #passedOn: boolean;
  #remaining: number;
  #chunkLeft = 0;
  /** The parent's CRC-32 at the end of the chunk or of the piece. */
  #claimedCrc32: number | undefined;
  readonly #ending: EndingWatch;
  #toldEnding = false;

  readonly #roundTripMs: number;

  /** Throws PROTOCOL when the head does not belong to the requested piece. */
  constructor(request: PieceRequest, head: PieceHead, { from, roundTripMs }: { from: number; roundTripMs: number }) {
    checkHead(head, request);
    this.request = request;
    this.from = from;
    this.#roundTripMs = roundTripMs;
    this.#head = head;
    this.#firstByteMs = request.elapsedMs();
    this.#passedOn = head.digest === '' && request.options.address.streamed === true;
    this.#remaining = head.length;
    this.#ending = new EndingWatch(head.length);
    this.#claimedCrc32 = head.digest === '' ? undefined : Number(head.digest.slice('crc32:'.length));
    if (this.#passedOn) request.patient();
  }

  /** Consumes the available part of the body, up to the end of a chunk. Throws DIGEST_MISMATCH and PROTOCOL. */
  take(buffer: ReceiveBuffer): Taken {
    if (this.#passedOn && this.#chunkLeft === 0) {
      if (!this.#beginChunk(buffer)) return 'more';
      if (this.#chunkLeft === 0) return 'given up';
    }
    const most = this.#passedOn ? this.#chunkLeft : this.#remaining;
    const count = Math.min(most, buffer.fill - buffer.start);
    this.request.options.writer.digest(buffer.bytes.subarray(buffer.start, buffer.start + count));
    buffer.start += count;
    this.#remaining -= count;
    if (this.#passedOn) this.#chunkLeft -= count;
    if (count > 0) this.#tellEnding(count);
    if (this.#remaining === 0) return 'end';
    if (!this.#passedOn || this.#chunkLeft > 0) return 'more';
    this.#check();
    return 'chunk';
  }

  /** Settles the request once everything is on the disk. */
  async settle(written: Promise<void>): Promise<void> {
    const { request } = this;
    const { writer, parentId, expectedCrc32, prove } = request.options;
    try {
      await written;
      this.#check();
      if (request.settled) return;
      const costMs = request.elapsedMs();
      await writer.commit({ source: parentId, costMs, expectedCrc32, prove });
      const { crc32 } = writer;
      request.succeed({ crc32, originalSource: this.#head.parentId, costMs, firstByteMs: this.#firstByteMs });
    } catch (error) {
      request.fail(toDragonflyError(error));
    }
  }

  /** Everything before is written, or on its way to the disk. */
  #beginChunk(buffer: ReceiveBuffer): boolean {
    const chunk = decodeChunkHeader(buffer.bytes, buffer.start, buffer.fill, this.#remaining);
    if (!chunk) return false;
    buffer.start += chunkHeaderBytes;
    this.from = buffer.start;
    this.#chunkLeft = chunk.bytes;
    this.#claimedCrc32 = chunk.crc32;
    return true;
  }

  #check(): void {
    const { crc32 } = this.request.options.writer;
    if (this.#claimedCrc32 === undefined || this.#claimedCrc32 === crc32) return;
    throw new DragonflyError(
      'DIGEST_MISMATCH',
      `piece ${this.#head.number} has CRC-32 ${crc32}, the parent said ${this.#claimedCrc32}`,
    );
  }

  #tellEnding(count: number): void {
    if (this.#toldEnding) return;
    const { request } = this;
    const nowMs = request.elapsedMs();
    this.#ending.passed(count, nowMs);
    if (this.#ending.leftMs(nowMs) > endingLeadMs + this.#roundTripMs) return;
    this.#toldEnding = true;
    request.options.onEnding?.();
  }
}

function checkHead(head: PieceHead, { options: { piece, address } }: PieceRequest): void {
  if (head.number !== piece.number || head.offset !== piece.offset || head.length !== piece.length) {
    throw new DragonflyError(
      'PROTOCOL',
      `the parent answered with piece ${head.number} (${head.length} bytes at ${head.offset}) for piece ${piece.number} (${piece.length} bytes at ${piece.offset})`,
    );
  }
  // The original sends no digest for imported pieces; ours sends one, except for a piece that it passes on.
  const mayBeEmpty = !address.persistent || address.streamed === true;
  if (!(head.digest === '' && mayBeEmpty) && !/^crc32:\d{1,10}$/.test(head.digest)) {
    throw new DragonflyError('PROTOCOL', 'the parent sent a piece digest that is not a CRC-32');
  }
}
