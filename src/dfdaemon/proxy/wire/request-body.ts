/**
 * The body of a client's request on its way to the origin: sent as it comes, with its trailers, at the pace of the slower
 * side. A short one is kept until the origin begins to answer, so that it can be sent again over another connection.
 */
import type { ClientRequest } from 'node:http';
import type { Readable } from 'node:stream';
import { DragonflyError } from '../../../core/errors.ts';
import { forwardedTrailers } from './header.ts';
import { proxyLimits } from '../limits.ts';

/** What a client's request has beside its bytes. */
export interface BodyOrigin {
  readonly rawTrailers?: readonly string[];
  readonly socket?: Readable | null;
}

/** A client's request, or a body that was read already. */
type BodySource = Readable & BodyOrigin;

let keptByAll = 0;

export class RequestBody {
  readonly #source: BodySource;
  /** Its length was announced and is small enough; undefined when it is not kept. */
  #kept: Buffer[] | undefined;
  /** What the origin is told; undefined for chunks. */
  readonly #lengthBytes: number | undefined;
  #takenBytes = 0;
  readonly #reservedBytes: number;
  #ended = false;

  /** @param length in bytes, as announced; undefined when it was not. */
  constructor(source: BodySource, length: number | undefined) {
    this.#source = source;
    this.#lengthBytes = length;
    const keep =
      length !== undefined && length <= proxyLimits.replayBytes && keptByAll + length <= proxyLimits.replayTotalBytes;
    this.#reservedBytes = keep ? length : 0;
    keptByAll += this.#reservedBytes;
    if (keep) this.#kept = [];
  }

  /** It can be sent a second time, from the beginning. */
  get repeatable(): boolean {
    return this.#kept !== undefined;
  }

  /**
   * Sends what has come and what will come. Returns what stops it.
   * @param onProgress called for each block that the connection took
   */
  sendTo(outgoing: ClientRequest, onProgress: () => void): () => void {
    const source = this.#source;
    const onData = (block: Buffer): void => {
      this.#takenBytes += block.length;
      // The origin would read what is too much as the next request on a connection that others share.
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
    // Once its answer is out, a request is not told any more that its connection has gone.
    const { socket: connection } = source;
    for (const block of this.#kept ?? []) outgoing.write(block, onProgress);
    // Between two connections nobody listens: its end, or the client's, may have come meanwhile.
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
      if (stopped) return; // by now it may be on its way over another connection
      stopped = true;
      source.removeListener('data', onData).removeListener('end', onEnd).removeListener('close', onBroken);
      connection?.removeListener('close', onBroken);
      outgoing.removeListener('drain', onDrain);
      source.pause();
    };
  }

  /** The origin answers: this body goes to nobody else. */
  release(): void {
    if (this.#kept !== undefined) keptByAll -= this.#reservedBytes;
    this.#kept = undefined;
  }

  /** What the origin did not want is read and dropped, or the client's next request would never be seen. */
  drain(): void {
    this.release();
    this.#source.resume();
  }
}
