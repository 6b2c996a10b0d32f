/**
 * Sends content from the disk to a client. A plain HTTP/1 connection is written to directly, by sendfile where
 * available; every other goes through the response object, in blocks, with back-pressure.
 */
import { read } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { DragonflyError } from '../../../core/errors.ts';
import type { FileSpan } from '../../task/open-task.ts';
import { proxyLimits } from '../limits.ts';
import { RateLimiter } from '../../../core/rate-limiter.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import type { BlockPool } from '../../transport/block-pool.ts';
import { BodySender } from '../../transport/body-sender.ts';

const unlimited = new RateLimiter(Infinity);

export interface BodyWriterOptions {
  readonly response: ServerResponse;
  /** The length was announced, so the bytes need no framing. */
  readonly framed: boolean;
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => void;
}

export class BodyWriter {
  readonly #sender: BodySender;
  readonly #options: BodyWriterOptions;
  /** The connection itself, when bytes may be written past the response object. */
  readonly #socket: Socket | undefined;
  readonly #pool: BlockPool;

  constructor(pool: BlockPool, options: BodyWriterOptions) {
    this.#pool = pool;
    // each answer has its own sender, so that a slow client does not delay another
    this.#sender = new BodySender({ limiter: unlimited, pool, stallMs: proxyLimits.clientIdleTimeoutMs });
    this.#options = options;
    const { response, framed } = options;
    const { socket } = response;
    const own = framed && response.req.httpVersionMajor === 1 && socket !== null && !('encrypted' in socket);
    this.#socket = own ? socket : undefined;
  }

  /** The header must be sent before the first byte of the body. */
  async start(): Promise<void> {
    if (this.#socket) this.#options.response.flushHeaders();
  }

  async file(span: FileSpan): Promise<void> {
    const { signal, onBytes } = this.#options;
    if (this.#socket) {
      await this.#sender.send(this.#socket, span, { signal });
      onBytes(span.length);
      return;
    }
    for (let done = 0; done < span.length;) {
      signal.throwIfAborted();
      const block = await this.#takeBlock();
      try {
        const part = block.subarray(0, Math.min(block.length, span.length - done));
        const count = await readInto(span.fd, part, span.offset + done);
        if (count === 0) throw new DragonflyError('STORAGE', 'the content file is shorter than its piece');
        await this.#write(part.subarray(0, count));
        done += count;
        onBytes(count);
      } finally {
        this.#pool.give(block);
      }
    }
  }

  /** Content that does not come from a file. */
  async bytes(chunk: Buffer): Promise<void> {
    await this.#write(chunk);
    this.#options.onBytes(chunk.length);
  }

  /** A few bytes between files: the framing of several ranges. */
  async text(chunk: Buffer): Promise<void> {
    await this.#write(chunk);
  }

  async #takeBlock(): Promise<Buffer> {
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    const stop = this.#pool.take(resolve);
    const { signal } = this.#options;
    using _aborting = onAbort(signal, () => {
      stop();
      resolve(emptyBlock);
    });
    const block = await promise;
    if (block === emptyBlock) throw gone();
    return block;
  }

  /** Resolves when the connection has taken the chunk and everything before it. */
  #write(chunk: Buffer): Promise<void> {
    const { response } = this.#options;
    const sink = this.#socket ?? response;
    return new Promise((resolve, reject) => {
      if (sink.destroyed) return reject(gone());
      const onClose = (): void => reject(gone());
      response.once('close', onClose); // an HTTP/2 stream that is reset does not always call back
      sink.write(chunk, (error) => {
        response.removeListener('close', onClose);
        if (error) reject(gone(error));
        else resolve();
      });
    });
  }
}

const emptyBlock = Buffer.alloc(0);

function gone(cause?: unknown): DragonflyError {
  return new DragonflyError('CANCELLED', 'the client has closed the connection', { cause });
}

function readInto(fd: number, part: Buffer, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, part, 0, part.length, offset, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}
