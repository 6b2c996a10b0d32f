/**
 * The body of a client's request on its way to the origin: streamed with its trailers at the pace of the slower side. A
 * short body is kept until the origin begins to answer, so that it can be sent again over another connection.
 */
import type { ClientRequest } from 'node:http';
import type { Readable } from 'node:stream';
import { DragonflyError } from '../../../core/errors.ts';
import { forwardedTrailers } from './header.ts';
import { proxyLimits } from '../limits.ts';

/** What a client's request carries besides the bytes of its body. */
export interface BodyOrigin {
  readonly rawTrailers?: readonly string[];
  readonly socket?: Readable | null;
}

/** A client's request, or a body that was already read. */
type BodySource = Readable & BodyOrigin;

let keptByAll = 0;

export class RequestBody {
  readonly #source: BodySource;
  /** Kept because its length was announced and is small; undefined otherwise. */
  #kept: Buffer[] | undefined;
  /** The length announced to the origin; undefined for a chunked body. */
  readonly #lengthBytes: number | undefined;
  #takenBytes = 0;
  readonly #reservedBytes: number;
  #ended = false;

  /** @param length announced, in bytes; undefined when it was not. */
  constructor(source: BodySource, length: number | undefined) {
    this.#source = source;
    this.#lengthBytes = length;
    const keep =
      length !== undefined && length <= proxyLimits.replayBytes && keptByAll + length <= proxyLimits.replayTotalBytes;
    this.#reservedBytes = keep ? length : 0;
    keptByAll += this.#reservedBytes;
    if (keep) this.#kept = [];
  }

  /** The body can be sent a second time, from the beginning. */
  get repeatable(): boolean {
    return this.#kept !== undefined;
  }

  /**
   * Sends what has arrived and what will arrive. The returned function stops it. @param onProgress called for each
   * block that the connection accepted
   */
  sendTo(outgoing: ClientRequest, onProgress: () => void): () => void {
    const source = this.#source;
    const onData = (block: Buffer): void => {
      this.#takenBytes += block.length;
      // Surplus bytes would be the next request for the origin, on a connection that others share.
      if (this.#takenBytes > (this.#lengthBytes ?? Infinity)) {
        outgoing.destroy(new DragonflyError('INVALID_ARGUMENT', 'a body is longer than its request says'));
        return;
      }
      this.#kept?.push(block);
      if (outgoing.write(block, onProgress)) return;
      source.pause();
    };
    const onDrain = (): void => void source.resume();
    const onEnd = (): void => {
      this.#ended = true;
      const trailers = forwardedTrailers(source.rawTrailers ?? []);
      if (trailers.length > 0 && outgoing.chunkedEncoding) outgoing.addTrailers(trailers);
      outgoing.end(onProgress);
    };
    const onBroken = (): void => {
      if (!this.#ended) outgoing.destroy(new DOMException('the client has gone', 'AbortError'));
    };
    // Once it is answered, a request is no longer told that its connection has closed.
    const { socket: connection } = source;
    for (const block of this.#kept ?? []) outgoing.write(block, onProgress);
    // Between two connections nobody listens, so the end of the body or of the client may have been missed.
    if (this.#ended || source.readableEnded) onEnd();
    else if (source.destroyed) onBroken();
    else {
      source.on('data', onData).once('end', onEnd).once('close', onBroken);
      connection?.once('close', onBroken);
      outgoing.on('drain', onDrain);
      source.resume();
    }
    let stopped = false;
    return () => {
      if (stopped) return; // it may already be on its way over another connection
      stopped = true;
      source.removeListener('data', onData).removeListener('end', onEnd).removeListener('close', onBroken);
      connection?.removeListener('close', onBroken);
      outgoing.removeListener('drain', onDrain);
      source.pause();
    };
  }

  /** The origin has answered: this body will not be sent again. */
  release(): void {
    if (this.#kept !== undefined) keptByAll -= this.#reservedBytes;
    this.#kept = undefined;
  }

  /** Drops what the origin did not read, because otherwise the client's next request would never be seen. */
  drain(): void {
    this.release();
    this.#source.resume();
  }
}
