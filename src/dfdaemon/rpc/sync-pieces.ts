/**
 * Tells a child which pieces this node holds, at once and as more arrive. A child of this implementation gets bitmaps,
 * which accumulate while the child is busy. A child of the original gets one message per requested piece, and the end
 * of the stream once it has all.
 */
import type { CallContext } from '../../rpc/call-context.ts';
import {
  SyncPiecesRequest as SyncPiecesRequestMessage,
  SyncPiecesResponse,
  type SyncPiecesRequest,
} from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DragonflyError } from '../../core/errors.ts';
import { onAbort } from '../../core/process/lifecycle.ts';
import type { PieceLayout } from '../../core/piece-layout.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type { PieceRecord } from '../storage/metadata.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { ReadGuard } from './read-guard.ts';
import type { PieceAnnouncer } from '../task/exchange/piece-announcer.ts';
import type { UploadDesk } from '../transport/upload-desk.ts';

export interface PiecePort {
  readonly ip: string;
  readonly port: number;
  /** It speaks TLS. */
  readonly tls: boolean;
}

const noBytes = new Uint8Array();

export async function* syncPieces(
  request: SyncPiecesRequest,
  context: CallContext,
  options: {
    store: TaskStore;
    guard: ReadGuard;
    piecePort: PiecePort;
    uploads: UploadDesk;
    announcer: (task: StoredTask) => PieceAnnouncer;
  },
): AsyncGenerator<SyncPiecesResponse> {
  const { store, piecePort, guard } = options;
  const task = await guard.taskFor(request, context.caller);
  if (!task) throw new DragonflyError('NOT_FOUND', `task ${request.taskId} is not on this node`);
  using news = new News(task, store, context.signal);
  if (!context.callerHasSwarm) {
    context.accept(); // the child waits for this before it looks for other parents
    news.follow(task);
    yield* singlePieces(request, task, news, piecePort);
    return;
  }
  const announcer = options.announcer(task);
  // While this node fetches from the origin, a child hears of pieces one by one.
  const first = announcer.seeding ? new PieceSet() : task.pieces.clone();
  news.listen(announcer);
  news.followLoad(options.uploads);
  yield* bitmaps(task, first, { news, announcer, guard, piecePort });
}

/** For imported content, which daemons of the original request by a separate call. */
export async function* syncSinglePieces(
  request: Pick<SyncPiecesRequest, 'hostId' | 'taskId' | 'interestedPieceNumbers'>,
  context: CallContext,
  { store, guard, piecePort }: { store: TaskStore; guard: ReadGuard; piecePort: PiecePort },
): AsyncGenerator<SyncPiecesResponse> {
  const asked = SyncPiecesRequestMessage.fromPartial(request);
  const task = await guard.taskFor(asked, context.caller);
  if (!task) throw new DragonflyError('NOT_FOUND', `task ${request.taskId} is not on this node`);
  using news = new News(task, store, context.signal);
  context.accept();
  news.follow(task);
  yield* singlePieces(asked, task, news, piecePort);
}

async function* bitmaps(
  task: StoredTask,
  first: PieceSet,
  {
    news,
    announcer,
    guard,
    piecePort: { ip, port, tls },
  }: { news: News; announcer: PieceAnnouncer; guard: ReadGuard; piecePort: PiecePort },
): AsyncGenerator<SyncPiecesResponse> {
  // Sent once, and again when it changes, since most messages are about the load alone.
  let toldName: string | undefined;
  let toldLayout: PieceLayout | undefined;
  for (let pieces = first; ; pieces = news.take()) {
    const { layout } = task;
    const name = guard.nameOf(task) ?? '';
    yield SyncPiecesResponse.fromPartial({
      ...(name !== toldName && {
        ip,
        tcpPort: port,
        vortexPersistent: true,
        vortexStreamed: true,
        tls,
        vortexTaskId: name,
      }),
      bitmap: pieces.count === 0 ? noBytes : pieces.toBytes(),
      finished: task.complete && !announcer.seeding,
      offeredPieces: news.takeOffered(),
      load: news.takeLoad(),
      restricted: task.restricted,
      ...(layout &&
        !isSameLayout(layout, toldLayout) && {
          contentLength: layout.contentLengthBytes,
          pieceLength: layout.pieceLengthBytes,
          responseHeader: { ...task.responseHeader },
        }),
    });
    toldName = name;
    toldLayout = layout;
    if (!(await news.more())) return;
  }
}

function isSameLayout(one: PieceLayout, other: PieceLayout | undefined): boolean {
  return one.contentLengthBytes === other?.contentLengthBytes && one.pieceLengthBytes === other.pieceLengthBytes;
}

async function* singlePieces(
  request: SyncPiecesRequest,
  task: StoredTask,
  news: News,
  { ip, port, tls }: PiecePort,
): AsyncGenerator<SyncPiecesResponse> {
  const wanted = PieceSet.of(request.interestedPieceNumbers);
  const answer = ({ number, offset, length }: PieceRecord): SyncPiecesResponse =>
    SyncPiecesResponse.fromPartial({ number, offset, length, ip, tcpPort: port, tls });
  let pieces = task.pieces.clone();
  do {
    for (const number of pieces) {
      const record = wanted.has(number) ? task.piece(number) : undefined;
      if (record && wanted.delete(number)) yield answer(record);
    }
    if (wanted.count === 0) return;
    if (!(await news.more())) return;
    pieces = news.take();
  } while (true);
}

/** Pieces that arrived since they were last taken. Ends when the caller leaves, or when the task leaves the store. */
class News implements Disposable {
  readonly #stops: (() => void)[] = [];
  #fresh = new PieceSet();
  #offered: number[] = [];
  #load: number | undefined;
  /** True when there is something to say besides pieces and load. */
  #stirred = false;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(task: StoredTask, store: TaskStore, signal: AbortSignal) {
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    const listening = onAbort(signal, end);
    this.#stops.push(
      store.onRemoved((removed) => {
        if (removed === task) end();
      }),
      () => listening[Symbol.dispose](),
    );
  }

  /** Every piece as it lands. */
  follow(task: StoredTask): void {
    this.#stops.push(task.onPiece(({ number }) => this.#add(number)));
  }

  /** What the announcer has for this child. */
  listen(announcer: PieceAnnouncer): void {
    const offered = (number: number): void => {
      this.#offered.push(number);
      this.#wake?.();
    };
    const layoutKnown = (): void => {
      this.#stirred = true;
      this.#wake?.();
    };
    this.#stops.push(announcer.listen({ has: (number) => this.#add(number), offered, layoutKnown }));
  }

  /** Follows the load of this host, now and when it changes. */
  followLoad(uploads: UploadDesk): void {
    this.#load = uploads.load;
    this.#stops.push(
      uploads.onLoad((load) => {
        this.#load = load;
        this.#wake?.();
      }),
    );
  }

  takeLoad(): number | undefined {
    const load = this.#load;
    this.#load = undefined;
    return load;
  }

  takeOffered(): number[] {
    return this.#offered.splice(0);
  }

  take(): PieceSet {
    const fresh = this.#fresh;
    this.#fresh = new PieceSet();
    return fresh;
  }

  /** True as soon as there is something to take; false at the end. */
  async more(): Promise<boolean> {
    const nothing = this.#fresh.count === 0 && this.#offered.length === 0 && this.#load === undefined && !this.#stirred;
    if (nothing && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    this.#stirred = false;
    return !this.#ended;
  }

  #add(number: number): void {
    this.#fresh.add(number);
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }
}
