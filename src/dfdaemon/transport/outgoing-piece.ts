/** A piece being sent to a child: a complete one, or one that is passed on while it arrives. */
import type { Socket } from 'node:net';
import { toDragonflyError } from '../../core/errors.ts';
import type { IncomingPiece } from '../storage/pieces/incoming-piece.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { BodySender, FileSpan, SendOptions } from './body-sender.ts';
import { chunkBytes } from './limits.ts';
import { encodeChunkHeader, givenUp, type PieceHead, type PieceQuery } from './vortex.ts';

export interface OutgoingPiece extends Disposable {
  readonly head: PieceHead;
  /** Sends everything after the head. False: the piece was given up, and the child was told. Rejects as BodySender.send does. */
  send(socket: Socket, sender: BodySender, options: SendOptions): Promise<boolean>;
}

/** Throws PIECE_UNAVAILABLE when the piece is not there. */
export function completePiece(task: StoredTask, number: number): OutgoingPiece {
  const piece = task.openPiece(number);
  return {
    head: { ...piece, digest: `crc32:${piece.crc32}`, parentId: piece.source },
    send: async (socket, sender, options) => {
      await sender.send(socket, piece, options);
      return true;
    },
    [Symbol.dispose]: () => piece.close(),
  };
}

/** Undefined when nobody is writing the piece, or the child needs it complete. @param waitMs longest time without progress. */
export function piecePassedOn(task: StoredTask, query: PieceQuery, waitMs: number): OutgoingPiece | undefined {
  const incoming = query.streamed && !task.pieces.has(query.number) ? task.incoming(query.number) : undefined;
  if (!incoming?.span.lengthKnown) return undefined;
  const { number, offset, maxLengthBytes: length } = incoming.span;
  const pin = task.pin();
  const file = task.content.acquire();
  return {
    head: { number, offset, length, digest: '', parentId: '', costMs: 0, createdMs: Date.now() },
    send: (socket, sender, options) =>
      passOn(incoming, { fd: file.fd, offset, length }, { socket, sender, waitMs, ...options }),
    [Symbol.dispose]: () => {
      file.release();
      pin.release();
    },
  };
}

async function passOn(
  incoming: IncomingPiece,
  { fd, offset, length }: FileSpan,
  { socket, sender, waitMs, ...options }: SendOptions & { socket: Socket; sender: BodySender; waitMs: number },
): Promise<boolean> {
  for (let sent = 0; sent < length;) {
    const mark = incoming.markAfter(sent, chunkBytes);
    if (!mark && incoming.state === 'writing' && (await progress(incoming, waitMs, options.signal))) continue;
    if (!mark || incoming.state === 'aborted') {
      socket.write(encodeChunkHeader(givenUp));
      return false;
    }
    const bytes = mark.bytes - sent;
    socket.write(encodeChunkHeader({ bytes, crc32: mark.crc32 }));
    await sender.send(socket, { fd, offset: offset + sent, length: bytes }, options);
    sent = mark.bytes;
  }
  return true;
}

/** False when there is no progress for too long. Rejects when the signal aborts. */
function progress(incoming: IncomingPiece, waitMs: number, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), waitMs);
  const abort = (): void => reject(toDragonflyError(signal.reason));
  const stop = incoming.onProgress(() => resolve(true));
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    stop();
    signal.removeEventListener('abort', abort);
  });
}
