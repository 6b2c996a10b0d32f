/**
 * The stream of announcements from one parent: which pieces it holds, now and as it gets more, and where it serves
 * them. A parent of this implementation sends bitmaps and the layout; one of the original sends a message per piece.
 */
import { toDragonflyError, type DragonflyError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/process/logger.ts';
import type { StreamEnd } from '../../../swarm/peer/download/parent-streams.ts';
import { requireTaskId } from '../../transport/vortex.ts';
import { PieceSet } from '../../../swarm/shared/piece-set.ts';
import type { SyncPiecesRequest, SyncPiecesResponse } from '../../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { PieceAddress } from '../../transport/piece-client.ts';

export interface ParentAddress {
  readonly peerId: string;
  readonly hostId: string;
  readonly hostname: string;
  readonly idc: string;
  readonly ip: string;
  /** gRPC port of its DfdaemonUpload service. */
  readonly port: number;
  /** Proof by the scheduler that it sent this node to the parent; absent where there is none, or it is not used. */
  readonly ticket?: Uint8Array | undefined;
  /** 0 in the same place, 1 when nothing is known to be shared. */
  readonly distance: number;
}

export interface ParentNews {
  has(pieces: PieceSet): void;
  /** The parent wants this child to take these pieces now and pass them on. */
  offers(pieces: readonly number[]): void;
  /** Uploads running and waiting at the parent. */
  load(uploads: number): void;
  layout(facts: {
    contentLengthBytes: number;
    pieceLengthBytes: number;
    responseHeader: Readonly<Record<string, string>>;
  }): void;
  /** The origin gives the content only to some callers. */
  restricted(): void;
  /** The content is restricted, and the parent does not accept that this node is entitled to it. */
  refused(error: DragonflyError): void;
  /** The stream is over. */
  ended(end: StreamEnd): void;
}

/** `imported`: the pieces have to be requested in the form for imported content. */
export type ParentMessage = SyncPiecesResponse & Pick<PieceAddress, 'imported'>;

export type SyncPieces = (
  parent: ParentAddress,
  request: SyncPiecesRequest,
  signal: AbortSignal,
) => AsyncIterable<ParentMessage>;

/** Resolves when the parent's process has answered in any way; rejects when it has not. */
export type AskParent = (parent: ParentAddress, signal: AbortSignal) => Promise<void>;

const noTicket = new Uint8Array();

export class ParentLink {
  readonly parent: ParentAddress;
  readonly #taskId: string;
  readonly #hostId: string;
  readonly #sync: SyncPieces;
  readonly #ask: AskParent;
  readonly #news: ParentNews;
  /** Undefined while the layout is not known. */
  readonly #missing: () => readonly number[] | undefined;
  readonly #logger: Logger;
  readonly #controller = new AbortController();
  #pieceAddress: PieceAddress | undefined;
  /** The parent has announced every piece. */
  #toldAll = false;

  constructor(
    parent: ParentAddress,
    options: {
      taskId: string;
      hostId: string;
      sync: SyncPieces;
      ask: AskParent;
      news: ParentNews;
      missing: () => readonly number[] | undefined;
      logger: Logger;
    },
  ) {
    this.parent = parent;
    this.#taskId = options.taskId;
    this.#hostId = options.hostId;
    this.#sync = options.sync;
    this.#ask = options.ask;
    this.#news = options.news;
    this.#missing = options.missing;
    this.#logger = options.logger;
  }

  /** The parent's piece server; known once its first message has come. */
  get pieceAddress(): PieceAddress | undefined {
    return this.#pieceAddress;
  }

  /** Opens the stream, for the first time or again, and reports how it ended. */
  open(): void {
    void this.#listen(this.#controller.signal);
  }

  close(): void {
    this.#controller.abort();
  }

  /** Rejects when the parent gives no sign of life. */
  askAlive(): Promise<void> {
    return this.#ask(this.parent, this.#controller.signal);
  }

  async #listen(signal: AbortSignal): Promise<void> {
    try {
      const request = this.#request();
      for await (const message of this.#sync(this.parent, request, signal)) this.#take(message);
    } catch (error) {
      if (signal.aborted) return;
      const failure = toDragonflyError(error);
      if (failure.code === 'PERMISSION_DENIED') return this.#news.refused(failure);
      const { peerId: parent } = this.parent;
      this.#logger.debug({ parent, error: failure.message }, 'the stream of announcements from a parent broke');
      return this.#news.ended('broke');
    }
    if (!signal.aborted) this.#news.ended(this.#toldAll ? 'told-all' : 'ended');
  }

  #request(): SyncPiecesRequest {
    const missing = this.#missing();
    return {
      hostId: this.#hostId,
      taskId: this.#taskId,
      // A parent of the original needs at least one number; while the layout is unknown, the first piece tells most.
      interestedPieceNumbers: missing === undefined || missing.length === 0 ? [0] : [...missing],
      allPieces: true,
      ticket: this.parent.ticket ?? noTicket,
    };
  }

  #take(message: ParentMessage): void {
    if (message.tcpPort !== undefined) {
      const { vortexTaskId } = message;
      this.#pieceAddress = {
        // Its own machine, whatever it says: no other is asked on a parent's word.
        host: this.parent.ip,
        port: message.tcpPort,
        persistent: message.vortexPersistent,
        streamed: message.vortexStreamed,
        tls: message.tls,
        ...(message.imported && { imported: message.imported }),
        ...(vortexTaskId !== '' && { taskId: requireTaskId(vortexTaskId) }),
      };
    }
    if (message.restricted) this.#news.restricted();
    if (message.contentLength !== undefined && message.pieceLength > 0) {
      this.#news.layout({
        contentLengthBytes: message.contentLength,
        pieceLengthBytes: message.pieceLength,
        responseHeader: message.responseHeader,
      });
    }
    if (message.load !== undefined) this.#news.load(message.load);
    this.#toldAll ||= message.finished;
    if (message.offeredPieces.length > 0) this.#news.offers(message.offeredPieces);
    if (message.bitmap.length > 0) this.#news.has(PieceSet.fromBytes(message.bitmap));
    else if (message.length > 0) this.#news.has(PieceSet.of([message.number]));
  }
}
