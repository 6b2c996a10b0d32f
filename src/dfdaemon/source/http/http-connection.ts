/**
 * One HTTP/1.1 connection to an origin.
 *
 * node:http and undici hand out a fresh 64 KiB buffer per read, which costs more than everything else a download does:
 * 1.7 and 1.9 CPU seconds per GiB against 0.6 (bench/source/http-client.ts). Here the kernel writes into buffers we own:
 * headers and framing into a small spill buffer, content straight into the block that the sink will be given.
 *
 * A read lands in the buffer that was named after the read before it. So when reading pauses, the buffer for the next
 * read is already fixed: it is always a window of the spill buffer then, never a block that the sink may still hold.
 * TLS may deliver up to one decrypted read more after a pause; the spill buffer has room for it.
 *
 * Phases: head (request sent) → holding (header known, body not asked for) → body → idle (in the pool) → head …
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { ProxyHop } from '../../../core/net/outbound-proxy.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import { BlockWriter, type BlockPool } from './block-writer.ts';
import { ChunkedFraming, LengthFraming, UntilCloseFraming, type BodyFraming } from './http-framing.ts';
import { endOfHead, parseResponseHead, protocolError, type ResponseHead } from './http-head.ts';
import { bodyIdleTimeoutMs, connectTimeoutMs, headTimeoutMs, maxHeadBytes } from '../limits.ts';
import { openTunnel } from './proxy-tunnel.ts';
import type { ByteSink } from '../source.ts';

const windowBytes = 64 * 1024;
/** Room for the header, the read that completed it, and what TLS delivers after a pause. */
const spillBytes = maxHeadBytes + 3 * windowBytes;

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: ConnectionOptions | undefined;
  readonly lookup: NonNullable<ConnectionOptions['lookup']>;
  /** The proxy that this connection goes through, and the TLS options for it. */
  readonly by?: { readonly hop: ProxyHop; readonly tls: ConnectionOptions } | undefined;
  readonly signal: AbortSignal;
}

interface Transaction {
  readonly method: string;
  /** Ends the transaction when its signal aborts; disposed when it has ended otherwise. */
  aborting?: Disposable;
  readonly head: PromiseWithResolvers<ResponseHead>;
  framing: BodyFraming | undefined;
  keepAlive: boolean;
  received: boolean;
}

interface Body {
  readonly writer: BlockWriter;
  readonly done: PromiseWithResolvers<void>;
}

interface Opening {
  readonly socket: Socket;
  readonly ready: 'connect' | 'secureConnect';
}

export class HttpConnection {
  #socket!: Socket;
  readonly #spill = Buffer.allocUnsafeSlow(spillBytes);
  #spillStart = 0;
  #spillEnd = 0;
  /** The position of the next read in the spill buffer, or 'block' when it goes to the block. */
  #next: number | 'block' = 0;
  #phase: 'head' | 'holding' | 'body' | 'finishing' | 'idle' | 'closed' = 'idle';
  #transaction: Transaction | undefined;
  #body: Body | undefined;
  #ended = false;
  #failure: Error | undefined;
  #sinkFailed = false;
  #byProxy = false;
  #headTimer: NodeJS.Timeout | undefined;
  /** Called once, when the connection can no longer be used. */
  onClose: () => void = () => {};
  /** Called when a body was read to its end and the connection may carry another request. */
  onIdle: () => void = () => {};

  static async connect(options: ConnectOptions): Promise<HttpConnection> {
    const connection = new HttpConnection();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { signal } = options;
    signal.throwIfAborted();
    const { socket, ready } = await connection.#open(options);
    connection.#socket = socket;
    connection.#byProxy = options.by !== undefined;
    const timer = setTimeout(() => {
      reject(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }));
    }, connectTimeoutMs);
    using _aborting = onAbort(signal, () => reject(signal.reason as Error));
    socket.once(ready, resolve);
    socket.on('error', (error) => {
      reject(error);
      connection.#lost(error);
    });
    socket.on('end', () => connection.#onEnd());
    socket.on('timeout', () => connection.#fail(Object.assign(new Error('no data in time'), { code: 'ETIMEDOUT' })));
    socket.on('close', () => connection.#onClosed());
    try {
      await promise;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    socket.setNoDelay(true);
    return connection;
  }

  /** Empty behind a proxy, which alone knows it. */
  get remoteAddress(): string {
    return this.#byProxy ? '' : (this.#socket.remoteAddress ?? '');
  }

  async #open({ host, port, lookup, tls, by, signal }: ConnectOptions): Promise<Opening> {
    const onread = { buffer: () => this.#nextBuffer(), callback: (bytes: number) => this.#received(bytes) };
    if (by && tls) {
      const tunnel = await openTunnel(by.hop, { host, port, signal, proxyTls: by.tls });
      const socket = connectTls({ ...tls, host, socket: tunnel }); // the name that its certificate must show; no connection is made to it
      this.#readInto(socket);
      return { socket, ready: 'secureConnect' };
    }
    // Requests to a plain-text proxy contain the whole URL, so no CONNECT is needed.
    const place = by ? { host: by.hop.host, port: by.hop.port } : { host, port, lookup };
    const security = by ? (by.hop.secure ? by.tls : undefined) : tls;
    if (security) return { socket: connectTls(Object.assign({ onread }, security, place)), ready: 'secureConnect' };
    return { socket: connectTcp({ ...place, onread }), ready: 'connect' };
  }

  /** TLS inside another connection cannot read into our buffers: what it delivers is copied into them. */
  #readInto(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => {
      for (let done = 0; done < bytes.length;) {
        const room = this.#nextBuffer();
        const part = bytes.subarray(done, done + room.length);
        part.copy(room);
        done += part.length;
        if (this.#received(part.length)) continue;
        socket.pause();
        if (done < bytes.length) socket.unshift(bytes.subarray(done));
        return;
      }
    });
  }

  get closed(): boolean {
    return this.#phase === 'closed';
  }

  /** True when nothing of the answer to the last request has arrived: the origin may have closed an idle connection. */
  get unanswered(): boolean {
    return this.#transaction?.received === false;
  }

  /** True when the body was given up because of the sink, not of the origin. */
  get sinkFailed(): boolean {
    return this.#sinkFailed;
  }

  /** Sends a request without body and resolves with the header of the final answer. */
  request(text: string, method: string, signal: AbortSignal): Promise<ResponseHead> {
    const head = Promise.withResolvers<ResponseHead>();
    const transaction: Transaction = { method, head, framing: undefined, keepAlive: false, received: false };
    this.#transaction = transaction;
    if (this.#phase !== 'idle') {
      head.reject(this.#failure ?? new Error('the connection is closed'));
      return head.promise;
    }
    this.#phase = 'head';
    transaction.aborting = onAbort(signal, () => this.#fail(signal.reason as Error));
    if (this.closed) return head.promise; // given up while the connection was made: nothing is sent, or waited for
    this.#headTimer = setTimeout(() => {
      this.#fail(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }));
    }, headTimeoutMs);
    this.#socket.ref();
    this.#socket.write(text, 'latin1');
    this.#socket.resume();
    return head.promise;
  }

  /** Delivers the whole body; rejects when it ends early. The connection then goes idle or closes. */
  readBody(sink: ByteSink, pool: BlockPool): Promise<void> {
    const body: Body = {
      writer: new BlockWriter(sink, pool, () => this.#pump()),
      done: Promise.withResolvers<void>(),
    };
    this.#body = body;
    if (this.#phase === 'holding') {
      this.#phase = 'body';
      this.#pump();
    } else {
      body.done.reject(this.#failure ?? new Error('the body is gone'));
    }
    return body.done.promise;
  }

  /** Drops the rest of the answer; does nothing when all of it has arrived. */
  destroy(): void {
    if (this.#phase === 'finishing') return;
    this.#fail(new DOMException('the request was dropped', 'AbortError'));
  }

  #nextBuffer(): Buffer {
    const content = this.#phase === 'body' ? this.#transaction?.framing?.payloadBytes : undefined;
    const room = content && this.#spillStart === this.#spillEnd ? this.#body?.writer.room() : undefined;
    if (room && content) {
      this.#next = 'block';
      return content < room.length ? room.subarray(0, content) : room;
    }
    // The rest moves to the front; otherwise each small answer would begin where the last one ended.
    this.#spill.copyWithin(0, this.#spillStart, this.#spillEnd);
    this.#spillEnd -= this.#spillStart;
    this.#spillStart = 0;
    this.#next = this.#spillEnd;
    if (this.#spillEnd < spillBytes) return this.#spill.subarray(this.#spillEnd, this.#spillEnd + windowBytes);
    this.#fail(protocolError('it sends data faster than it is asked to'));
    return Buffer.alloc(1);
  }

  /** True to go on reading. */
  #received(bytes: number): boolean {
    if (this.#transaction) this.#transaction.received = true;
    if (this.#next === 'block') {
      this.#transaction?.framing?.advance(bytes);
      this.#body?.writer.wrote(bytes);
    } else {
      if (this.#spillStart === this.#spillEnd) this.#spillStart = this.#next;
      this.#spillEnd = this.#next + bytes;
    }
    switch (this.#phase) {
      case 'head':
        return this.#readHead();
      case 'body':
        return this.#readContent();
      case 'idle':
        this.#fail(protocolError('it sends data nobody asked for'));
        return false;
      case 'holding':
      case 'finishing':
      case 'closed':
        return false;
    }
  }

  #readHead(): boolean {
    const transaction = this.#transaction as Transaction;
    for (;;) {
      const bytes = this.#spill.subarray(this.#spillStart, this.#spillEnd);
      const end = endOfHead(bytes);
      if (end < 0) {
        if (bytes.length <= maxHeadBytes) return true;
        this.#fail(protocolError('its header is too long'));
        return false;
      }
      let head: ResponseHead;
      try {
        head = parseResponseHead(bytes.toString('latin1', 0, end), transaction.method);
      } catch (error) {
        this.#fail(error as Error);
        return false;
      }
      this.#spillStart += end;
      if (head.statusCode < 200) continue; // 100 and 103 come before the real answer
      clearTimeout(this.#headTimer);
      transaction.keepAlive = head.keepAlive;
      transaction.framing =
        head.framing === 'chunked'
          ? new ChunkedFraming()
          : head.framing === 'until-close'
            ? new UntilCloseFraming()
            : new LengthFraming(head.framing);
      this.#phase = 'holding';
      transaction.head.resolve(head);
      return false;
    }
  }

  #pump(): void {
    if (this.#phase !== 'body') return;
    if (!this.#readContent()) {
      this.#socket.setTimeout(0);
      return;
    }
    this.#socket.setTimeout(bodyIdleTimeoutMs);
    this.#socket.resume();
  }

  /** Moves received bytes to the sink. True when more can be read. */
  #readContent(): boolean {
    const { writer } = this.#body as Body;
    const framing = this.#transaction?.framing as BodyFraming;
    try {
      while (this.#spillStart < this.#spillEnd && !framing.done && !writer.failed) {
        const arrived = this.#spill.subarray(this.#spillStart, this.#spillEnd);
        if (framing.payloadBytes === 0) {
          this.#spillStart += framing.parse(arrived);
          continue;
        }
        const room = writer.room();
        if (!room) break;
        const bytes = Math.min(framing.payloadBytes, arrived.length, room.length);
        arrived.copy(room, 0, 0, bytes);
        this.#spillStart += bytes;
        framing.advance(bytes);
        writer.wrote(bytes);
      }
    } catch (error) {
      this.#fail(error as Error);
      return false;
    }
    if (writer.failed) {
      this.#failSink(writer);
      return false;
    }
    const drained = this.#spillStart === this.#spillEnd;
    if (framing.done || (this.#ended && !this.#failure && drained && framing.end())) {
      void this.#finish();
      return false;
    }
    if (drained && (this.#ended || this.#failure)) {
      this.#fail(this.#failure ?? Object.assign(new Error('the connection ended early'), { code: 'ETRUNCATED' }));
      return false;
    }
    if (writer.room()) return true;
    this.#socket.setTimeout(0); // the silence is ours
    return false;
  }

  async #finish(): Promise<void> {
    const { writer, done } = this.#body as Body;
    const transaction = this.#transaction as Transaction;
    this.#phase = 'finishing';
    this.#socket.setTimeout(0);
    await writer.finish();
    if (writer.failed) return this.#failSink(writer);
    transaction.aborting?.[Symbol.dispose]();
    this.#body = undefined;
    const reusable = transaction.keepAlive && !this.#ended && !this.#failure && this.#spillStart === this.#spillEnd;
    if (reusable && !this.closed) {
      this.#phase = 'idle';
      this.#socket.unref();
      this.#socket.resume(); // so that a close by the origin is noticed
      this.onIdle();
    } else {
      this.#close();
    }
    done.resolve();
  }

  #onEnd(): void {
    this.#ended = true;
    if (this.#phase === 'body') this.#pump();
    else if (this.#phase === 'head' || this.#phase === 'idle') this.#fail(connectionClosed());
  }

  #onClosed(): void {
    if (!this.#ended) this.#lost(connectionClosed());
  }

  /** The connection is gone, but the bytes received so far may be all that is needed. */
  #lost(error: Error): void {
    this.#failure ??= error;
    if (this.#phase === 'body') this.#pump();
    else if (this.#phase === 'head' || this.#phase === 'idle') this.#fail(error);
  }

  #fail(error: Error): void {
    if (this.#phase === 'closed') return;
    this.#failure ??= error;
    const body = this.#body;
    this.#close();
    this.#transaction?.head.reject(error);
    if (!body) return;
    body.writer.stop();
    void body.writer.idle().then(() => body.done.reject(error));
  }

  #failSink(writer: BlockWriter): void {
    if (this.#phase !== 'closed') this.#sinkFailed = true;
    this.#fail(writer.failure as Error);
  }

  #close(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    clearTimeout(this.#headTimer);
    this.#transaction?.aborting?.[Symbol.dispose]();
    this.#socket.destroy();
    this.onClose();
  }
}

function connectionClosed(): Error {
  return Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' });
}
