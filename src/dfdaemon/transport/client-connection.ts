/**
 * One connection to a parent. Requests go out at once, answers come in order; each body runs through the CRC as it
 * arrives and is written to the disk in large blocks.
 *
 * Reading pauses while the disk, the rate limit or the memory for blocks lag behind, so a fast parent waits in TCP. A
 * parent that breaks the protocol, sends nothing while it owes an answer, or serves a request that was abandoned midway
 * loses the connection; requests whose answer had not begun move to another one.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { payAll, type RateLimiter } from '../../core/rate-limiter.ts';
import { AnswerBody } from './answer-body.ts';
import type { BlockPool } from './block-pool.ts';
import { keepAliveDelayMs, maxBlocksInFlight, maxHeadBytes, tlsHandshakeMs, type ClientLimits } from './limits.ts';
import { roundTripMs } from './native-io.ts';
import type { PieceAddress, PieceRequest } from './piece-request.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { serverIdentityCheck } from '../../rpc/tls.ts';
import type { TransportTls } from './tls-policy.ts';
import { decodeAnswer, encodeRequest, headerBytes, tags } from './vortex.ts';

export interface ConnectionOwner {
  readonly limiter: RateLimiter;
  readonly pool: BlockPool;
  readonly tls: TransportTls | undefined;
  readonly limits: ClientLimits;
  /** Called with the number of bytes received. */
  received(bytes: number): void;
  /** One of the connection's requests has ended, or the connection can take more. */
  available(connection: ClientConnection): void;
  /** The connection is gone; these requests had no answer yet. `movable`: another connection may do better. */
  closed(connection: ClientConnection, unanswered: PieceRequest[], error: DragonflyError, movable: boolean): void;
}

/** The parent works, and may have the piece in a moment. */
const givenUp = new DragonflyError('RESOURCE_EXHAUSTED', 'the parent does not get the piece itself');

export class ClientConnection {
  readonly address: PieceAddress;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #controller = new AbortController();
  readonly #buffer: ReceiveBuffer;
  readonly #outstanding: PieceRequest[] = [];
  #body: AnswerBody | undefined;
  #answered = 0;
  /** Payments under way. */
  #limited = 0;
  #paused = false;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #connected = false;
  #closed = false;
  #timer: NodeJS.Timeout;
  /** Current timeout; undefined while the connection is being established. */
  #timerMs: number | undefined;

  constructor(address: PieceAddress, owner: ConnectionOwner) {
    this.address = address;
    this.#owner = owner;
    this.#buffer = new ReceiveBuffer(owner.pool);
    this.#socket = this.#open();
    this.#timer = setTimeout(
      () => this.#end(new DragonflyError('UNAVAILABLE', `no connection to ${address.host}:${address.port} in time`)),
      address.tls ? tlsHandshakeMs : owner.limits.connectMs,
    );
    this.#socket.once(address.tls ? 'secureConnect' : 'connect', () => {
      this.#connected = true;
      this.#rearm();
    });
    this.#socket.on('error', (error) => this.#end(connectionError(address, error)));
    this.#socket.once('end', () =>
      this.#end(new DragonflyError('UNAVAILABLE', 'the parent has closed the connection')),
    );
    this.#socket.once('close', () =>
      this.#end(new DragonflyError('UNAVAILABLE', 'the parent has closed the connection')),
    );
  }

  get load(): number {
    return this.#outstanding.length;
  }

  /** When bytes last arrived; now, while this side has paused reading. */
  get heardAtMs(): number {
    return this.#paused ? performance.now() : this.#heardAtMs;
  }

  send(request: PieceRequest): void {
    this.#outstanding.push(request);
    request.onAbort = () => this.#givenUp();
    request.limited(this.#limited > 0);
    this.#socket.write(encodeRequest(this.#requestTag, request.options.taskId, request.options.piece.number));
    if (this.#connected) this.#rearm();
  }

  get #requestTag(): number {
    const { persistent, imported } = this.address;
    if (!persistent && imported === 'persistent') return tags.downloadPersistentPiece;
    if (!persistent) return imported ? tags.downloadPersistentCachePiece : tags.downloadPiece;
    return this.address.streamed === true ? tags.streamedPiece : tags.pipelinedPiece;
  }

  close(): void {
    this.#end(new DragonflyError('CANCELLED', 'the connection was closed'));
  }

  #open(): Socket {
    const { host, port, tls } = this.address;
    const onread = {
      buffer: () => this.#buffer.target(),
      callback: (count: number, bytes: Uint8Array) => this.#received(bytes as Buffer, count),
    };
    const base = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelayMs, onread };
    if (!tls) return connect(base);
    const own = this.#owner.tls;
    return connectTls({
      ...base,
      ...(own?.ca !== undefined && { ca: own.ca }),
      ...(own?.cert !== undefined && { cert: own.cert }),
      ...(own?.key !== undefined && { key: own.key }),
      ...(own?.servername !== undefined && { servername: own.servername }),
      ...(own?.revocations && { checkServerIdentity: serverIdentityCheck(own) }),
      minVersion: 'TLSv1.2',
    });
  }

  /** Returns false to pause reading; `#flow` resumes it. */
  #received(bytes: Buffer, count: number): boolean {
    if (this.#closed) return false;
    try {
      if (this.#outstanding.length === 0)
        throw new DragonflyError('PROTOCOL', 'the parent sent bytes nobody asked for');
      this.#rearm();
      this.#heardAtMs = performance.now();
      this.#buffer.accept(bytes, count);
      this.#charge(count);
      if (this.#buffer.hasBlock) this.#consume();
      this.#moveOn();
    } catch (error) {
      this.#end(toDragonflyError(error));
      return false;
    }
    return !this.#paused;
  }

  #consume(): void {
    const buffer = this.#buffer;
    while (buffer.start < buffer.fill && !this.#closed) {
      if (!this.#body && !this.#beginBody()) return;
      const body = this.#body;
      if (!body) continue; // after an error answer, that of the next request may follow
      const taken = body.take(buffer);
      if (taken === 'more') return;
      if (taken === 'end') this.#endBody(body);
      else if (taken === 'given up') this.#endRequest(body.request, givenUp);
      else {
        this.#writeOut(body).catch(() => undefined);
        body.request.options.writer.vouch();
      }
    }
  }

  /** False while the head is not complete. */
  #beginBody(): boolean {
    const request = this.#outstanding[0];
    if (!request) throw new DragonflyError('PROTOCOL', 'the parent sent bytes nobody asked for');
    const buffer = this.#buffer;
    const answer = decodeAnswer(buffer.bytes, buffer.start, buffer.fill, this.#requestTag + 1);
    if (!answer) {
      if (buffer.fill - buffer.start > headerBytes + maxHeadBytes)
        throw new DragonflyError('PROTOCOL', 'the head of the answer does not end');
      return false;
    }
    buffer.start += answer.bytes;
    if (answer.kind === 'error') {
      this.#endRequest(request, answer.error);
      return true;
    }
    this.#body = new AnswerBody(request, answer.head, { from: buffer.start, roundTripMs: roundTripMs(this.#socket) });
    request.options.onStarted?.();
    return true;
  }

  /** The parent has answered that there is no piece. */
  #endRequest(request: PieceRequest, error: DragonflyError): void {
    this.#body = undefined;
    this.#outstanding.shift();
    this.#answered += 1;
    request.fail(error);
    if (!this.address.persistent) this.#end(error);
    else this.#owner.available(this);
  }

  /** The body has arrived completely: it is settled once it is on the disk, while the next answer is being read. */
  #endBody(body: AnswerBody): void {
    this.#body = undefined;
    this.#outstanding.shift();
    this.#answered += 1;
    body.request.onAbort = undefined;
    body.request.limited(false); // the rest is up to the disk
    void body.settle(this.#writeOut(body));
    this.#owner.available(this);
    if (!this.address.persistent) this.#end(new DragonflyError('UNAVAILABLE', 'the connection has served its request'));
  }

  #writeOut(body: AnswerBody): Promise<void> {
    const { start } = this.#buffer;
    const from = body.from;
    body.from = start;
    const { writer, hash } = body.request.options;
    const written = this.#buffer.write(from, start, (bytes) => {
      const hashed = hash?.update(bytes);
      return hashed ? writer.writeBlock(bytes, true).finally(hashed) : writer.writeBlock(bytes, true);
    });
    written.then(
      () => this.#flow(),
      (error: unknown) => this.#writeFailed(body, error),
    );
    return written;
  }

  #writeFailed(body: AnswerBody, error: unknown): void {
    body.request.fail(toDragonflyError(error));
    if (this.#body === body) this.#end(new DragonflyError('UNAVAILABLE', 'the rest of the piece has no place to go'));
    else this.#flow();
  }

  /** Releases a full block, and an empty one: a connection that waits for an answer needs no memory. */
  #moveOn(): void {
    const buffer = this.#buffer;
    const body = this.#body;
    const room = buffer.bytes.length - buffer.fill;
    if (!body && buffer.start === buffer.fill) buffer.release();
    else if (room < headerBytes + maxHeadBytes && (body || room === 0)) {
      if (body && buffer.start > body.from) this.#writeOut(body).catch(() => undefined);
      buffer.release();
      if (body) body.from = 0;
    }
    this.#flow();
  }

  /** Charges received bytes to the rate limits; reading pauses until they are paid for. */
  #charge(count: number): void {
    const { limiter } = this.#owner;
    this.#owner.received(count);
    const { limiters = [] } = this.#outstanding[0]?.options ?? {};
    const paid = payAll([...limiters, limiter], count, this.#controller.signal);
    if (!paid) return;
    this.#limited += 1;
    this.#tellLimited();
    paid.then(
      () => {
        this.#limited -= 1;
        this.#tellLimited();
        this.#flow();
      },
      () => undefined,
    );
  }

  #tellLimited(): void {
    for (const request of this.#outstanding) request.limited(this.#limited > 0);
  }

  /** Resumes reading if there is a block, room for more writes, and rate; otherwise pauses. */
  #flow(): void {
    if (this.#closed) return;
    const needsBlock = !this.#buffer.hasBlock && (this.#body !== undefined || this.#buffer.carries);
    const hasBlock = !needsBlock || this.#buffer.acquire(() => this.#blockCame());
    if (needsBlock && hasBlock && this.#buffer.start < this.#buffer.fill) return this.#blockCame();
    const ready = hasBlock && this.#limited === 0 && this.#buffer.writes < maxBlocksInFlight;
    if (!ready) this.#pause();
    else if (this.#paused) {
      this.#paused = false;
      this.#rearm();
      this.#socket.resume();
    }
  }

  /** The awaited block is available; it already contains bytes that arrived meanwhile. */
  #blockCame(): void {
    try {
      this.#consume();
      this.#moveOn();
    } catch (error) {
      this.#end(toDragonflyError(error));
    }
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  /** The caller has abandoned a request: its answer would come all the same, and answers come in order. */
  #givenUp(): void {
    this.#end(new DragonflyError('UNAVAILABLE', 'a request on this connection was given up'), true);
  }

  /** Called for every few KiB, so the usual case only pushes the timer back. */
  #rearm(): void {
    const { stallMs, idleMs } = this.#owner.limits;
    const ms = this.#outstanding.length > 0 ? stallMs : idleMs;
    if (ms === this.#timerMs) return void this.#timer.refresh();
    clearTimeout(this.#timer);
    this.#timerMs = ms;
    this.#timer = setTimeout(() => this.#timeout(), ms);
  }

  #timeout(): void {
    if (this.#outstanding.length > 0 && this.#paused) return this.#rearm(); // we are the slow ones
    this.#end(
      this.#outstanding.length > 0
        ? new DragonflyError(
            'DEADLINE_EXCEEDED',
            `the parent ${this.address.host}:${this.address.port} has sent nothing for ${this.#owner.limits.stallMs} ms`,
          )
        : new DragonflyError('UNAVAILABLE', 'the connection was idle'),
    );
  }

  /** `movable`: the parent is not at fault, so unanswered requests may try another connection. */
  #end(error: DragonflyError, movable = false): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#controller.abort();
    this.#limited = 0;
    this.#tellLimited();
    this.#socket.destroy();
    this.#buffer.close();
    const begun = this.#body?.request;
    const unanswered = this.#outstanding.filter((request) => request !== begun && !request.settled);
    this.#outstanding.length = 0;
    begun?.fail(error);
    this.#owner.closed(this, unanswered, error, movable || this.#answered > 0);
  }
}

function connectionError(address: PieceAddress, error: Error): DragonflyError {
  const where = `${address.host}:${address.port}`;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (address.tls && /^(ERR_TLS|CERT_|DEPTH_|SELF_|UNABLE_|ERR_SSL)/.test(code)) {
    return new DragonflyError('UNAUTHENTICATED', `the parent ${where} cannot be trusted: ${error.message}`, {
      cause: error,
      hint: 'Check that both sides use certificates of the same CA and the same TLS policy.',
    });
  }
  return new DragonflyError('UNAVAILABLE', `the connection to the parent ${where} failed: ${error.message}`, {
    cause: error,
  });
}
