/** A download as the protocol streams it: what the content is, each piece as it lands, the receipt. */
import { readSync } from 'node:fs';
import { DragonflyError } from '../../core/errors.ts';
import { isOwnAddress } from '../../core/own-address.ts';
import { deadlineSignal } from '../../core/lifecycle.ts';
import type { Caller } from '../../rpc/caller.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { Download } from '../../rpc/generated/common/v2/common.ts';
import type { DownloadTaskResponse } from '../../rpc/generated/dfdaemon/v2/dfdaemon.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import { withOwnIdentity } from '../task/own-identity.ts';
import type { FinishedPiece } from '../task/open-task.ts';
import { startedResponse, toDownloadRequest, toPiece, toReceiptMessage } from './messages.ts';

/** Longest time a timer can wait; a download without a deadline of its own gets this one, 24 days. */
const maxTimeoutMs = 2 ** 31 - 1;

export interface DownloadStreamOptions {
  readonly engine: TaskEngine;
  readonly store: TaskStore;
  readonly hostId: string;
  /** What the operator leaves out of URLs. */
  readonly filteredQueryParams: readonly string[];
  /** The scheduler that asks for the download. */
  readonly scheduler?: string | undefined;
  /** Called before the first message when this node holds everything asked for already. */
  readonly onLocal?: (taskId: string) => Promise<void>;
  /** Places the finished content; absent where callers may not name paths. */
  readonly placeOutput?: (output: { taskId: string; download: Download; signal: AbortSignal }) => Promise<void>;
}

export async function* downloadStream(
  download: Download | undefined,
  context: CallContext,
  options: DownloadStreamOptions,
): AsyncGenerator<DownloadTaskResponse> {
  const { engine, store, hostId, filteredQueryParams, scheduler, onLocal, placeOutput } = options;
  // A call from another node is the scheduler's: peers wait for the pieces, whatever becomes of the scheduler.
  const caller = asker(context.caller, download?.remoteIp);
  const asked = {
    ...toDownloadRequest(download, caller, filteredQueryParams),
    wholePieces: true,
    finishAbandoned: caller.kind !== 'local',
    scheduler,
  };
  const decided = caller.kind === 'member'; // where the user's request came in
  const request = decided ? asked : withOwnIdentity(asked, { filteredQueryParams, headers: true });
  using deadline = deadlineSignal(context.signal, Math.min(request.timeoutMs ?? maxTimeoutMs, maxTimeoutMs));
  const { signal } = deadline;
  await using task = await engine.open(request, signal);
  const { taskId, peerId } = task;
  if (task.local) await onLocal?.(taskId);
  const message = (response: DownloadTaskResponse['response']): DownloadTaskResponse => ({
    hostId,
    taskId,
    peerId,
    response,
  });
  // The protocol tells the length first; content of unknown length has to end before it can be told.
  if (task.contentLengthBytes === undefined) await task.finished;
  yield message({ $case: 'downloadTaskStartedResponse', value: startedResponse(task) });
  for await (const piece of task.pieces()) {
    const content = download?.needPieceContent === true ? readPiece(store, taskId, piece) : undefined;
    yield message({ $case: 'downloadPieceFinishedResponse', value: { piece: toPiece(piece, content) } });
  }
  const receipt = await task.finished;
  if (download?.outputPath !== undefined) {
    if (!placeOutput)
      throw new DragonflyError('PERMISSION_DENIED', 'an output path is only accepted on the unix socket of this node');
    await placeOutput({ taskId, download, signal });
  }
  if (context.callerHasSwarm) yield message({ $case: 'receipt', value: toReceiptMessage(receipt) });
}

/** @param remoteIp of whom the caller asks for: a scheduler on this machine asks for peers that are elsewhere. */
export function asker(caller: Caller, remoteIp: string | undefined): Caller {
  if (caller.kind === 'local' || remoteIp === undefined) return caller;
  return { ...caller, onThisMachine: caller.onThisMachine && isOwnAddress(remoteIp) };
}

/** One piece at a time is in memory: the stream's back-pressure holds the next one back. */
function readPiece(store: TaskStore, taskId: string, piece: FinishedPiece): Buffer {
  using open = store.get(taskId)?.openPiece(piece.number);
  if (!open) throw new DragonflyError('PIECE_UNAVAILABLE', `task ${taskId} was removed while it was read`);
  const content = Buffer.allocUnsafe(piece.length);
  for (let done = 0; done < piece.length;) {
    const count = readSync(open.fd, content, done, piece.length - done, piece.offset + done);
    if (count === 0) throw new DragonflyError('STORAGE', `the content of task ${taskId} ends early`);
    done += count;
  }
  return content;
}
