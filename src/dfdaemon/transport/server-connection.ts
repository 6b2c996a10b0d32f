/**
 * One child connected to this server: its requests are answered one after the other, in order.
 *
 * A child costs at most one small buffer, `maxPipelinedRequests` decoded requests and one body under way; every state
 * it can bring the connection into has a deadline.
 */
import type { Socket } from 'node:net';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { withDeadline } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { BodySender } from './body-sender.ts';
import type { UploadDesk } from './upload-desk.ts';
import { completePiece, piecePassedOn, type OutgoingPiece } from './outgoing-piece.ts';
import { roundTripMs } from './native-io.ts';
import { maxBufferedRequestBytes, maxPipelinedRequests, type ServerLimits } from './limits.ts';
import {
  decodeRequest,
  encodeError,
  encodePieceHead,
  errorNumbers,
  requestBytes,
  requireTaskId,
  type PieceQuery,
} from './vortex.ts';

export interface ServedPiece {
  readonly taskId: string;
  readonly number: number;
  readonly bytes: number;
}

export interface ServerConnectionContext {
  /** Resolves the names of tasks that this child may have. */
  readonly find: (name: string) => StoredTask | undefined;
  readonly sender: BodySender;
  /** Absent: requested pieces are sent immediately. */
  readonly uploads: UploadDesk | undefined;
  /** Distinguishes children at the desk; a child may have several connections. */
  readonly childId: string;
  readonly limits: ServerLimits;
  readonly logger: Logger | undefined;
  /** A child requests this piece, which is here. */
  readonly asked: (taskId: string, piece: number) => void;
  /** The child does not get it from here, or not now. */
  readonly refused: (taskId: string, piece: number) => void;
  /** Some bytes of it have been sent. */
  readonly taken: (taskId: string, piece: number) => void;
  readonly served: (piece: ServedPiece) => void;
}

export class ServerConnection {
  readonly #socket: Socket;
  readonly #context: ServerConnectionContext;
  readonly #controller = new AbortController();
  readonly #queries: PieceQuery[] = [];
  #timer: NodeJS.Timeout;
  #partial: Buffer = Buffer.alloc(0);
  #answering = false;
  #lastAnswer = false;
  #draining = false;

  constructor(socket: Socket, context: ServerConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.#timer = setTimeout(() => socket.destroy(), context.limits.requestDeadlineMs);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('end', () => this.#ended());
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(this.#timer);
      this.#controller.abort(new DragonflyError('UNAVAILABLE', 'the receiver has closed the connection'));
    });
  }

  /** Reads no more requests; the connection ends once those already read are answered. */
  drain(): void {
    this.#draining = true;
    if (!this.#answering && this.#queries.length === 0) this.#socket.destroySoon();
  }

  #receive(chunk: Buffer): void {
    if (this.#lastAnswer || this.#draining) return; // bytes after the last request are not parsed
    this.#partial = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
    try {
      while (this.#queries.length < maxPipelinedRequests && !this.#lastAnswer) {
        const query = decodeRequest(this.#partial);
        if (!query) break;
        this.#partial = this.#partial.subarray(requestBytes);
        this.#queries.push(query);
        this.#lastAnswer = !query.persistent;
      }
    } catch (error) {
      return this.#refuse(toDragonflyError(error));
    }
    if (this.#queries.length >= maxPipelinedRequests) this.#socket.pause();
    if (this.#partial.length > maxBufferedRequestBytes)
      return this.#refuse(new DragonflyError('PROTOCOL', 'too many requests at once'));
    if (!this.#answering) void this.#answerAll();
  }

  /** The child sends no more. It still gets the answers to its requests. */
  #ended(): void {
    if (this.#answering || this.#queries.length > 0) this.#lastAnswer = true;
    else this.#socket.destroySoon();
  }

  async #answerAll(): Promise<void> {
    this.#answering = true;
    clearTimeout(this.#timer); // the sender and the wait for a piece have deadlines of their own
    try {
      for (let query = this.#queries.shift(); query; query = this.#queries.shift()) {
        await this.#answer(query);
        if (this.#socket.isPaused() && this.#queries.length < maxPipelinedRequests / 2) {
          this.#socket.resume();
          this.#receive(Buffer.alloc(0)); // decodes requests that were left over
        }
      }
    } catch (error) {
      // Part of a body was sent: only closing the connection can tell the child.
      this.#context.logger?.debug({ error: toDragonflyError(error).message }, 'a piece could not be sent in full');
      this.#socket.destroy();
    } finally {
      this.#answering = false;
    }
    const { limits } = this.#context;
    if (this.#lastAnswer || this.#draining) this.#socket.destroySoon();
    else this.#deadline(this.#partial.length > 0 ? limits.requestDeadlineMs : limits.idleMs);
  }

  async #answer(query: PieceQuery): Promise<void> {
    let piece: OutgoingPiece;
    let task: StoredTask;
    try {
      task = this.#requireTask(query);
      this.#context.asked(task.id, query.number); // an offered piece may still be on its way
      piece = await this.#open(task, query);
    } catch (error) {
      const known = toDragonflyError(error);
      if (this.#socket.destroyed) throw known;
      await this.#context.sender.write(this.#socket, encodeError(errorNumberOf(known), known.message));
      return;
    }
    using _piece = piece;
    const { number, length } = piece.head;
    const { uploads, sender, childId, refused, taken, served } = this.#context;
    const { signal } = this.#controller;
    const asked = { childId, taskId: task.id, piece: number, patient: !query.persistent, bytes: length };
    const { remoteAddress: address = '' } = this.#socket;
    using turn = await uploads?.enter({ ...asked, address, roundTripMs: roundTripMs(this.#socket) }, signal);
    if (uploads && !turn) {
      refused(task.id, number);
      return sender.write(this.#socket, encodeError(errorNumbers.busy, 'busy'));
    }
    const uploaded = task.beginUpload();
    const onSent = (bytes: number): void => {
      turn?.sent(bytes);
      taken(task.id, number);
    };
    let sent = false;
    try {
      this.#socket.write(encodePieceHead(query.answerTag, piece.head));
      sent = await piece.send(this.#socket, sender, { signal, onSent });
      if (sent) served({ taskId: task.id, number, bytes: length });
    } catch (error) {
      if (toDragonflyError(error).code === 'STORAGE') task.suspect(); // verification finds and drops unreadable pieces
      throw error;
    } finally {
      uploaded(sent);
      if (!sent) refused(task.id, number);
    }
  }

  #requireTask(query: PieceQuery): StoredTask {
    const task = this.#context.find(requireTaskId(query.taskId));
    if (!task) throw new DragonflyError('PIECE_UNAVAILABLE', `task ${query.taskId} is not here`);
    return task;
  }

  /**
   * A piece that is being written is streamed to a child that supports it; otherwise the request waits for it, as
   * children of the original expect. A piece that is being verified again is waited for as well.
   */
  async #open(task: StoredTask, query: PieceQuery): Promise<OutgoingPiece> {
    const { number } = query;
    const { pieceWaitMs } = this.#context.limits;
    const passedOn = piecePassedOn(task, query, pieceWaitMs);
    if (passedOn) return passedOn;
    if (task.touchedFromOutside()) task.suspect();
    if (task.index.needsVerification(number)) await withDeadline(task.recovered, pieceWaitMs);
    if (!task.pieces.has(number) && task.incoming(number))
      await pieceCommitted(task, number, pieceWaitMs, this.#controller.signal);
    return completePiece(task, number);
  }

  #refuse(error: DragonflyError): void {
    this.#lastAnswer = true;
    this.#queries.length = 0;
    if (this.#answering) return void this.#socket.destroy(); // an error frame would end up inside of a body
    this.#socket.end(encodeError(errorNumbers.invalidArgument, error.message), () => this.#socket.destroySoon());
    this.#deadline(this.#context.limits.requestDeadlineMs);
  }

  /** The connection is closed unless its state changes within this time. */
  #deadline(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#socket.destroyed) this.#timer = setTimeout(() => this.#socket.destroy(), ms);
  }
}

function errorNumberOf(error: DragonflyError): number {
  if (error.code === 'PIECE_UNAVAILABLE' || error.code === 'NOT_FOUND') return errorNumbers.notFound;
  return error.code === 'INVALID_ARGUMENT' ? errorNumbers.invalidArgument : errorNumbers.internal;
}

function pieceCommitted(task: StoredTask, number: number, deadlineMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, deadlineMs);
    const stop = task.onPiece((piece) => {
      if (piece.number === number) done();
    });
    signal.addEventListener('abort', done, { once: true });
  });
}
