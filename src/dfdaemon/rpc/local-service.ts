/** Calls by local tools other than downloads: verifying and exporting stored tasks, showing receipts. Served on the Unix socket only. */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { DragonflyError } from '../../core/errors.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import { redact } from '../../core/redact.ts';
import { PieceSet } from '../../swarm/shared/piece-set.ts';
import type {
  DfdaemonLocalDefinition,
  ExportLocalTaskRequest,
  ExportLocalTaskResponse,
  StoredTaskSummary,
} from '../../../gen/dfdaemon/v2/local.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { KeptTasks } from '../imports/kept-tasks.ts';
import type { PersistentTasks } from '../imports/persistent-tasks.ts';
import type { Receipts } from '../receipts.ts';
import { placeOutput, type PlaceOutputOptions } from '../storage/place-output.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { persistentCacheLocal } from './persistent-cache.ts';
import { persistentLocal } from './persistent.ts';
import { toReceiptMessage } from './messages.ts';
import type { ServiceOptions } from './services.ts';

const contentBlockBytes = 4 * 2 ** 20;
const readAsync = promisify(read);

export function localHandlers({
  store,
  receipts,
  kept,
  persistent,
  blockList,
  outputRoots,
}: {
  readonly store: TaskStore;
  readonly receipts: Receipts;
  readonly kept: KeptTasks;
  readonly persistent: PersistentTasks;
  readonly blockList: ServiceOptions['blockList'];
  readonly outputRoots: readonly string[];
}): Handlers<typeof DfdaemonLocalDefinition> {
  return {
    ...persistentCacheLocal(kept, blockList),
    ...persistentLocal(persistent),
    listStoredTasks: async () => ({ tasks: store.list().toSorted(usedLastFirst).map(toSummary) }),
    verifyLocalTask: async ({ taskId }) => {
      const task = requireTask(store, taskId);
      using _pin = task.pin();
      const before = task.pieces.clone();
      await store.verify(task);
      return { pieceCount: before.count, badPieces: [...before.difference(task.pieces)] };
    },
    exportLocalTask: (request, { caller, signal }) =>
      exportTask(requireTask(store, request.taskId), request, { caller, signal, roots: outputRoots }),
    listReceipts: async ({ taskId, url, limit }) => ({
      receipts: receipts.recent
        .filter(
          (receipt) =>
            (taskId === undefined || receipt.taskId === taskId) && (url === undefined || receipt.url === redact(url)),
        )
        .toReversed()
        .slice(0, limit === 0 ? undefined : limit)
        .map((receipt) => ({
          url: receipt.url,
          taskId: receipt.taskId,
          contentLength: receipt.contentLengthBytes,
          finishedAt: receipt.finishedAt,
          receipt: toReceiptMessage(receipt),
        })),
    }),
  };
}

function usedLastFirst(a: StoredTask, b: StoredTask): number {
  return b.record.row.lastUsedMs - a.record.row.lastUsedMs;
}

function toSummary(task: StoredTask): StoredTaskSummary {
  const { url, tag, application } = task.identity;
  const { createdMs, updatedMs, finishedMs, failedMs } = task.times;
  const ended = failedMs === undefined ? 'partial' : 'failed';
  return {
    taskId: task.id,
    url: redact(url),
    tag,
    application,
    contentLength: task.layout?.contentLengthBytes,
    storedLength: task.bytes,
    state: finishedMs === undefined ? ended : 'finished',
    uploadedCount: task.uploadedCount,
    createdAt: new Date(createdMs),
    updatedAt: new Date(updatedMs),
  };
}

async function* exportTask(
  task: StoredTask,
  request: ExportLocalTaskRequest,
  place: Pick<PlaceOutputOptions, 'caller' | 'signal' | 'roots'>,
): AsyncGenerator<ExportLocalTaskResponse> {
  requireOwner(task, place.caller);
  if (task.touchedFromOutside()) task.suspect();
  await task.recovered;
  const { layout } = task;
  if (!layout || !task.complete) {
    const held = `${task.pieces.count} of ${layout?.pieceCount ?? 'unknown'} pieces`;
    throw new DragonflyError('FAILED_PRECONDITION', `task ${task.id} is stored in part only: ${held}`, {
      hint: 'Download it to the end first.',
    });
  }
  const contentLength = layout.contentLengthBytes;
  if (request.outputPath !== undefined) {
    const { overwrite, forceHardLink } = request;
    await placeOutput(task, request.outputPath, { ...place, overwrite, forceHardLink });
  }
  yield { contentLength, offset: 0, content: new Uint8Array() };
  if (!request.needContent) return;
  for (const number of PieceSet.range(0, layout.pieceCount)) {
    using piece = task.openPiece(number);
    for (let done = 0; done < piece.length;) {
      const offset = piece.offset + done;
      const block = Buffer.allocUnsafe(Math.min(contentBlockBytes, piece.length - done));
      const { bytesRead } = await readAsync(piece.fd, block, 0, block.length, offset);
      if (bytesRead === 0) throw new DragonflyError('STORAGE', `the content of task ${task.id} ends early`);
      yield { contentLength, offset, content: block.subarray(0, bytesRead) };
      done += bytesRead;
    }
  }
}

/** Content that an origin gave to credentials can be exported without asking the origin only by callers who could read the store anyway. */
function requireOwner(task: StoredTask, caller: Caller): void {
  const uid = caller.kind === 'local' ? caller.uid : undefined;
  if (!task.restricted || uid === 0 || (uid !== undefined && uid === process.geteuid?.())) return;
  throw new DragonflyError('PERMISSION_DENIED', `task ${task.id} was given to credentials, and export asks for none`, {
    hint: 'Download it with credentials of your own, or export it as the user of the daemon.',
  });
}

function requireTask(store: TaskStore, taskId: string): StoredTask {
  const task = store.get(taskId);
  if (!task) throw new DragonflyError('NOT_FOUND', `task ${taskId} is not on this node`);
  return task;
}
