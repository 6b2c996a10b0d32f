/** The call of `dfget`: opens the task by TaskEngine and streams the download: content facts, each piece as it lands, the receipt. */
import { readSync } from 'node:fs';
import { crc32 } from '../../core/crc32.ts';
import { DragonflyError } from '../../core/errors.ts';
import { isOwnAddress } from '../../core/net/own-address.ts';
import { redact } from '../../core/redact.ts';
import { bundleNamedBy, misnomer } from '../../core/task-name.ts';
import { deadlineSignal } from '../../core/process/lifecycle.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { Download } from '../../../gen/common/v2/common.ts';
import type { DownloadTaskResponse } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import type { Entitlement } from '../task/entitlement.ts';
import { apartFromRestricted, withOwnIdentity } from '../task/own-identity.ts';
import type { DownloadRequest, FinishedPiece, OpenTask } from '../task/open-task.ts';
import { startedResponse, toDownloadRequest, toPiece, toReceiptMessage } from './messages.ts';

/** The longest time a timer can wait, 24 days; a download without a deadline gets this one. */
const maxTimeoutMs = 2 ** 31 - 1;

/** Short enough for a caller that shows the progress of a download. */
const gatherMs = 50;
const maxGathered = 256;

/** Adds the credentials that this node has for the origin to a request that a scheduler asks for; returns it unchanged when the node has none. */
export type Lend = (request: DownloadRequest) => Promise<DownloadRequest>;

export interface DownloadStreamOptions {
  readonly engine: TaskEngine;
  readonly store: TaskStore;
  readonly hostId: string;
  /** Query parameters that the operator removes from URLs. */
  readonly filteredQueryParams: readonly string[];
  /** Bytes per second. */
  readonly rateLimit?: number | undefined;
  /** The scheduler that asked for the download. */
  readonly scheduler?: string | undefined;
  readonly entitlement: Entitlement;
  readonly lend: Lend;
  /** True when the caller accepts several pieces in one message. */
  readonly gatherPieces?: boolean;
  /** Told to the caller with the first message: where the content lies. */
  readonly contentFile?: ((taskId: string) => string | undefined) | undefined;
  /** Called before the first message when this node already holds everything that was asked for. */
  readonly onLocal?: (taskId: string) => Promise<void>;
  /** Writes the finished content to its output; absent when callers may not name paths. */
  readonly placeOutput?: (output: { taskId: string; download: Download; signal: AbortSignal }) => Promise<void>;
}

export async function* downloadStream(
  download: Download | undefined,
  context: CallContext,
  options: DownloadStreamOptions,
): AsyncGenerator<DownloadTaskResponse> {
  const { store, hostId, filteredQueryParams, rateLimit, scheduler, onLocal, placeOutput } = options;
  // A call from another node stands for the scheduler's: peers wait for the pieces even if the scheduler goes away.
  const caller = asker(context.caller, download?.remoteIp);
  const asked = {
    ...toDownloadRequest(download, caller, filteredQueryParams),
    wholePieces: true,
    finishAbandoned: caller.kind !== 'local',
    rateLimit,
    scheduler,
  };
  const decided = caller.kind === 'member'; // the block list was already checked where the user's request came in
  if (decided && download) requireNameOf(download);
  requireListOf(asked, { decided });
  const request = decided ? await options.lend(asked) : withOwnIdentity(asked, { filteredQueryParams, headers: true });
  using deadline = deadlineSignal(context.signal, Math.min(request.timeoutMs ?? maxTimeoutMs, maxTimeoutMs));
  const { signal } = deadline;
  await using permitted = await openPermitted(request, options, signal);
  const { task, pieces } = permitted;
  const { taskId, peerId } = task;
  if (task.local) await onLocal?.(taskId);
  const message = (response: DownloadTaskResponse['response']): DownloadTaskResponse => ({
    hostId,
    taskId,
    peerId,
    response,
  });
  // The protocol sends the length first, so content of unknown length has to be complete before anything can be sent.
  if (task.contentLengthBytes === undefined) await task.finished;
  const gathers = options.gatherPieces === true && download?.needPieceContent !== true;
  let toldLength = task.contentLengthBytes;
  const started = { ...startedResponse(task), contentFile: options.contentFile?.(taskId) };
  yield message({ $case: 'downloadTaskStartedResponse', value: started });
  for await (const [piece, ...more] of gathered(pieces, gathers ? gatherMs : 0)) {
    if (task.contentLengthBytes !== toldLength) {
      toldLength = task.contentLengthBytes;
      yield message({ $case: 'downloadTaskStartedResponse', value: startedResponse(task) });
    }
    const content = download?.needPieceContent === true ? readPiece(store, taskId, piece) : undefined;
    yield message({
      $case: 'downloadPieceFinishedResponse',
      value: { piece: toPiece(piece, content), more: more.map((one) => toPiece(one, undefined)) },
    });
  }
  const receipt = await task.finished;
  if (download?.outputPath !== undefined) {
    if (!placeOutput)
      throw new DragonflyError('PERMISSION_DENIED', 'an output path is only accepted on the unix socket of this node');
    await placeOutput({ taskId, download, signal });
  }
  if (context.callerHasSwarm) yield message({ $case: 'receipt', value: toReceiptMessage(receipt) });
}

/** Groups pieces: those that arrive shortly after a group go into the next one, and the last group goes out at the end. */
export async function* gathered<T>(pieces: AsyncIterable<T>, withinMs: number): AsyncGenerator<readonly [T, ...T[]]> {
  let kept: T[] = [];
  let toldMs = Number.NEGATIVE_INFINITY;
  for await (const piece of pieces) {
    kept.push(piece);
    const nowMs = performance.now();
    if (nowMs < toldMs + withinMs && kept.length < maxGathered) continue;
    toldMs = nowMs;
    const [first = piece, ...more] = kept;
    kept = [];
    yield [first, ...more];
  }
  const [first, ...more] = kept;
  if (first !== undefined) yield [first, ...more];
}

/** Not every scheduler validates what hosts register with it. */
function requireNameOf({ enableTaskIdBasedBlobDigest: blobDigestAsId, ...download }: Download): void {
  const why = misnomer(undefined, { ...download, blobDigestAsId });
  if (why !== undefined)
    throw new DragonflyError('PERMISSION_DENIED', `${redact(download.url)} is not fetched: ${why}`);
}

/**
 * The list of a bundle is what its name was made of, or is to be made of. Without the list the URL is asked for what it is not the name of:
 * the page of a directory.
 */
function requireListOf(
  { url, contentForCalculatingTaskId: text, bundle }: DownloadRequest,
  { decided }: { readonly decided: boolean },
): void {
  const named = decided && text !== undefined ? bundleNamedBy(text) : undefined;
  if (!bundle && named === undefined) return;
  if (!decided && text === undefined) return;
  if (named !== undefined && named === bundle?.listDigest) return;
  const what = bundle ? 'its list of files is not the one it is named by' : 'nothing says which files it has';
  throw new DragonflyError('PERMISSION_DENIED', `a bundle of ${redact(url)} is not fetched: ${what}`);
}

interface Permitted extends AsyncDisposable {
  readonly task: OpenTask;
  /** The pieces that the caller may have, once it is known that he may have them. */
  readonly pieces: AsyncIterable<FinishedPiece>;
}

/**
 * Content that others got with their credentials is given to this caller only if its origin allows it. When the origin
 * has other content under this name, that content is downloaded.
 */
async function openPermitted(
  request: DownloadRequest,
  { engine, entitlement }: Pick<DownloadStreamOptions, 'engine' | 'entitlement'>,
  signal: AbortSignal,
): Promise<Permitted> {
  await using opened = new AsyncDisposableStack();
  const task = opened.use(await engine.open(request, signal));
  const { taskId } = task;
  // Content that the origin sends in answer to this very request needs no further permission.
  const isOwn = engine.asksFor(taskId, request);
  const isOpen = async (piece: FinishedPiece): Promise<boolean> =>
    (isOwn && piece.traffic === 'origin') ||
    !entitlement.isAsked(request, taskId) ||
    (await entitlement.isGiven(request, taskId, piece, signal));
  const pieces = task.pieces()[Symbol.asyncIterator]();
  const waits = entitlement.isAsked(request, taskId);
  const first = waits ? await pieces.next() : undefined;
  if (first?.done === false && !(await isOpen(first.value))) {
    const apart = await engine.open(apartFromRestricted(request), signal);
    return { task: apart, pieces: apart.pieces(), [Symbol.asyncDispose]: () => apart[Symbol.asyncDispose]() };
  }
  const kept = opened.move();
  return { task, pieces: permitted(first, pieces, isOpen), [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function* permitted(
  first: IteratorResult<FinishedPiece> | undefined,
  rest: AsyncIterator<FinishedPiece>,
  isOpen: (piece: FinishedPiece) => Promise<boolean>,
): AsyncGenerator<FinishedPiece> {
  for (let next = first ?? (await rest.next()); next.done !== true; next = await rest.next()) {
    if (next !== first && !(await isOpen(next.value)))
      throw new DragonflyError('SOURCE_CHANGED', 'the origin has other content than other nodes were given');
    yield next.value;
  }
}

/** @param remoteIp of the client on whose behalf the caller asks: a scheduler on this machine asks for peers elsewhere. */
export function asker(caller: Caller, remoteIp: string | undefined): Caller {
  if (caller.kind === 'local' || remoteIp === undefined) return caller;
  return { ...caller, onThisMachine: caller.onThisMachine && isOwnAddress(remoteIp) };
}

/** Only one piece at a time is in memory: the stream's back-pressure delays the next one. */
export function readPiece(store: TaskStore, taskId: string, piece: FinishedPiece): Buffer {
  using open = store.get(taskId)?.openPiece(piece.number);
  if (!open) throw new DragonflyError('PIECE_UNAVAILABLE', `task ${taskId} was removed while it was read`);
  const content = Buffer.allocUnsafe(piece.length);
  for (let done = 0; done < piece.length;) {
    const count = readSync(open.fd, content, done, piece.length - done, piece.offset + done);
    if (count === 0) throw new DragonflyError('STORAGE', `the content of task ${taskId} ends early`);
    done += count;
  }
  if (crc32(content) === open.crc32) return content;
  open.close();
  store.get(taskId)?.index.dropCorrupt(open);
  throw new DragonflyError('DIGEST_MISMATCH', `piece ${piece.number} of task ${taskId} is not on the disk as it came`, {
    hint: 'Ask again: it is fetched again. Check the disk.',
  });
}
