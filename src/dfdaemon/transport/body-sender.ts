/**
 * Sends spans of files to sockets: by sendfile where it exists and the socket is plain, otherwise by read and write.
 *
 * Each turn of the event loop sends a bounded part of a body and yields, so that many bodies share the loop fairly. A
 * full socket is waited for by an ordinary write of the next few KiB, whose callback signals room. Bytes that are not
 * in the page cache are read by the thread pool, so a cold disk never blocks the loop.
 */
import { read, readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import { maxUnsentBytes, minUnsentBytes, unsentMs } from '../../swarm/peer/transfer-timing.ts';
import type { BlockPool } from './block-pool.ts';
import { fairTurnBytes, fairTurnsFromBodies, longTurnBytes, maxActiveBodies, tailBytes } from './limits.ts';
import { nativeIo, socketFd } from './native-io.ts';

export interface FileSpan {
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
}

export interface BodySenderOptions {
  readonly limiter: RateLimiter;
  readonly pool: BlockPool;
  /** A receiver that takes nothing for this long is disconnected. Waiting for its turn or for the rate limit does not count. */
  readonly stallMs: number;
  /** False: never use sendfile, as on a system without it. */
  readonly useSendfile?: boolean;
}

export interface SendOptions {
  readonly signal: AbortSignal;
  /** Called as bytes are taken by the kernel (or TLS). */
  readonly onSent?: ((bytes: number) => void) | undefined;
}

/** The state of one call of send. */
interface Body extends SendOptions {
  readonly socket: Socket;
  readonly fd: number;
  /** The block handed over last, where the next one did not wait for it. */
  leaving: Promise<void> | undefined;
}

export class BodySender {
  readonly #limiter: RateLimiter;
  readonly #pool: BlockPool;
  readonly #native: ReturnType<typeof nativeIo>;
  readonly #useSendfile: boolean;
  readonly #stallMs: number;
  readonly #waiting = new Set<() => void>();
  #active = 0;

  constructor(options: BodySenderOptions) {
    this.#limiter = options.limiter;
    this.#pool = options.pool;
    this.#native = nativeIo();
    this.#useSendfile = options.useSendfile ?? true;
    this.#stallMs = options.stallMs;
  }

  get activeBodies(): number {
    return this.#active;
  }

  /**
   * Resolves when the last byte was handed to the kernel (or to TLS). Rejects when the file ends early, the disk fails,
   * the socket closes, its peer takes nothing for `stallMs`, or the signal aborts; the connection is then useless.
   */
  async send(socket: Socket, span: FileSpan, options: SendOptions): Promise<void> {
    const { signal } = options;
    const body: Body = { socket, fd: span.fd, leaving: undefined, ...options };
    await this.#enter(signal);
    const startedMs = performance.now();
    try {
      const end = span.offset + span.length;
      for (let offset = span.offset; offset < end;) {
        requireOpen(socket, signal);
        const turnBytes = Math.min(end - offset, this.#active >= fairTurnsFromBodies ? fairTurnBytes : longTurnBytes);
        if (!this.#limiter.tryAcquire(turnBytes)) await this.#limiter.acquire(turnBytes, signal);
        offset += await this.#turn(body, offset, turnBytes);
        if (offset < end) await nextTurn();
      }
      await body.leaving;
      this.#learnUnsent(socket, span.length / (performance.now() - startedMs));
    } catch (error) {
      throw toDragonflyError(error);
    } finally {
      this.#leave();
    }
  }

  /** Sends a small frame; resolves when the receiver has made room for it, so that frames never pile up. */
  write(socket: Socket, frame: Buffer): Promise<void> {
    return written(socket, frame, this.#stallMs);
  }

  async #turn(body: Body, offset: number, count: number): Promise<number> {
    const { socket, fd, signal, onSent } = body;
    const cached = this.#native?.isCached(fd, offset + count - 1) ?? false;
    if (!cached || !this.#native || !this.#useSendfile || socket instanceof TLSSocket) {
      return this.#copyAhead(body, offset, count, cached);
    }
    if (socket.writableLength > 0) await written(socket, emptyChunk, this.#stallMs);
    let done = 0;
    while (done < count) {
      // No await may stand between this check and the call: the descriptor of a closed socket may already be another file.
      requireOpen(socket, signal);
      const out = socketFd(socket);
      const sent = out === undefined ? 'blocked' : this.#native.sendfile(out, fd, offset + done, count - done);
      if (sent === 0) throw shortFile();
      if (sent !== 'blocked') {
        done += sent;
        onSent?.(sent);
      }
      if (done < count) done += await this.#copy(body, offset + done, Math.min(tailBytes, count - done), cached);
    }
    return done;
  }

  /** While one block is being sent, the next is read and encrypted; with many bodies the others fill that time. */
  async #copyAhead(body: Body, offset: number, count: number, cached: boolean): Promise<number> {
    const { bytes, sent } = await this.#handOver(body, offset, count, cached);
    if (this.#active >= fairTurnsFromBodies) await sent;
    else await body.leaving;
    body.leaving = sent;
    return bytes;
  }

  /** Sends up to one block by read and write; resolves when the socket has taken it. */
  async #copy(body: Body, offset: number, count: number, cached: boolean): Promise<number> {
    const { bytes, sent } = await this.#handOver(body, offset, count, cached);
    await sent;
    return bytes;
  }

  /** Reads up to one block and writes it to the socket; `sent` resolves when the socket has taken it. */
  async #handOver({ socket, fd, signal, onSent }: Body, offset: number, count: number, cached: boolean) {
    const block = await takeBlock(this.#pool, signal);
    try {
      const part = block.subarray(0, Math.min(count, block.length));
      const bytes = cached ? readSync(fd, part, 0, part.length, offset) : await readAsync(fd, part, offset);
      if (bytes === 0) throw shortFile();
      requireOpen(socket, signal);
      const sent = written(socket, part.subarray(0, bytes), this.#stallMs)
        .then(() => onSent?.(bytes))
        .finally(() => this.#pool.give(block));
      sent.catch(() => undefined); // a caller that fails before may never await it
      return { bytes, sent };
    } catch (error) {
      this.#pool.give(block);
      throw error;
    }
  }

  /** The faster the connection, the more the kernel has to buffer to keep sending until the loop comes round. */
  #learnUnsent(socket: Socket, bytesPerMs: number): void {
    const fd = socketFd(socket);
    if (fd === undefined) return;
    const bytes = Math.min(maxUnsentBytes, Math.max(minUnsentBytes, bytesPerMs * unsentMs));
    this.#native?.limitUnsent(fd, Math.round(bytes));
  }

  async #enter(signal: AbortSignal): Promise<void> {
    if (this.#active < maxActiveBodies) {
      this.#active += 1;
      return;
    }
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void => {
      this.#waiting.delete(resolve);
      reject(toDragonflyError(signal.reason));
    };
    this.#waiting.add(resolve); // the ending body hands over its place, so #active stays as it is
    signal.addEventListener('abort', abort, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', abort));
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (!next) this.#active -= 1;
    else if (this.#waiting.delete(next)) next();
  }
}

const emptyChunk = Buffer.alloc(0);

function requireOpen(socket: Socket, signal: AbortSignal): void {
  signal.throwIfAborted();
  if (socket.destroyed || !socket.writable)
    throw new DragonflyError('UNAVAILABLE', 'the receiver has closed the connection');
}

function shortFile(): DragonflyError {
  return new DragonflyError('STORAGE', 'the content file is shorter than its piece');
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Resolves when the kernel has taken the chunk and everything before it; rejects when the socket closes first, or stalls. */
function written(socket: Socket, chunk: Buffer, stallMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stalled = setTimeout(() => socket.destroy(), stallMs);
    socket.write(chunk, (error) => {
      clearTimeout(stalled);
      if (error) reject(new DragonflyError('UNAVAILABLE', 'the receiver has closed the connection', { cause: error }));
      else resolve();
    });
  });
}

function readAsync(fd: number, part: Buffer, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, part, 0, part.length, offset, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

function takeBlock(pool: BlockPool, signal: AbortSignal): Promise<Buffer> | Buffer {
  const block = pool.tryTake();
  if (block) return block;
  return new Promise((resolve, reject) => {
    const stop = pool.take((taken) => {
      signal.removeEventListener('abort', abort);
      resolve(taken);
    });
    const abort = (): void => {
      stop();
      reject(toDragonflyError(signal.reason));
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
