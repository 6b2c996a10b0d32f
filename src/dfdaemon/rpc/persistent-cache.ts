/** The calls about imported content: by programs of this node (Download), and by schedulers (Upload). */
import { DragonflyError } from '../../core/errors.ts';
import { deadlineSignal } from '../../core/process/lifecycle.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import { schedulerHeader } from '../../rpc/features.ts';
import { fromKeptContent } from '../../rpc/fields/kept-content.ts';
import type { PersistentCacheTask } from '../../../gen/common/v2/common.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type {
  DfdaemonDownloadDefinition,
  DfdaemonUploadDefinition,
  DownloadPersistentCacheTaskRequest,
  DownloadPersistentCacheTaskResponse,
  StatLocalPersistentCacheTaskResponse,
} from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import type { KeptTasks } from '../imports/kept-tasks.ts';
import { importLimits } from '../imports/limits.ts';
import { placeOutput } from '../storage/place-output.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import { readPiece } from './download-stream.ts';
import { toPiece, toStatLocalTask } from './messages.ts';
import type { ServiceOptions } from './services.ts';
import { syncSinglePieces } from './sync-pieces.ts';

type Download = Handlers<typeof DfdaemonDownloadDefinition>;
type Upload = Handlers<typeof DfdaemonUploadDefinition>;
type Local = Handlers<typeof DfdaemonLocalDefinition>;

/** Of a whole download when the request names no time. */
const downloadTimeoutMs = 2 * 3_600_000;

export function persistentCacheDownloads(
  options: ServiceOptions,
): Required<
  Pick<
    Download,
    | 'downloadPersistentCacheTask'
    | 'uploadPersistentCacheTask'
    | 'statPersistentCacheTask'
    | 'statLocalPersistentCacheTask'
    | 'listLocalPersistentCacheTasks'
  >
> {
  const { kept, blockList } = options;
  return {
    downloadPersistentCacheTask: (request, context) => {
      blockList.checkKept('download', request);
      return download({ ...request, kept: undefined, persistent: false }, context, options);
    },
    uploadPersistentCacheTask: async (request, { caller, signal, callerHasSwarm }) => {
      blockList.checkKept('upload', request);
      const { path, tag, application, ttl, timeout, pieceLength, contentForCalculatingTaskId } = request;
      const task = await kept.import(
        {
          path,
          caller,
          tag,
          application,
          pieceLengthBytes: pieceLength,
          contentForCalculatingTaskId,
          replicas: request.persistentReplicaCount,
          ttlMs: (ttl?.seconds ?? 0) * 1000,
          timeoutMs: msOf(timeout),
        },
        signal,
      );
      return toCaller(task, callerHasSwarm);
    },
    statPersistentCacheTask: async ({ taskId }, { signal, callerHasSwarm }) =>
      toCaller(await kept.stat(taskId, signal), callerHasSwarm),
    statLocalPersistentCacheTask: async ({ taskId }) => toStatLocal(kept.require(taskId)),
    listLocalPersistentCacheTasks: async () => ({ tasks: kept.list().map(toStatLocal) }),
  };
}

export function persistentCacheUploads(
  options: ServiceOptions,
): Required<
  Pick<
    Upload,
    | 'downloadPersistentCacheTask'
    | 'updatePersistentCacheTask'
    | 'statPersistentCacheTask'
    | 'deletePersistentCacheTask'
    | 'syncPersistentCachePieces'
  >
> {
  const { kept, store, guard } = options;
  return {
    downloadPersistentCacheTask: (request, context) => {
      if (request.outputPath !== undefined)
        throw new DragonflyError(
          'PERMISSION_DENIED',
          'an output path is only accepted on the unix socket of this node',
        );
      return download(request, context, options);
    },
    updatePersistentCacheTask: async ({ taskId, persistent }) => {
      kept.update(taskId, persistent);
      return {};
    },
    statPersistentCacheTask: ({ taskId }, { signal }) => kept.stat(taskId, signal),
    deletePersistentCacheTask: async ({ taskId }) => {
      kept.remove(taskId);
      return {};
    },
    syncPersistentCachePieces: (request, context) =>
      syncSinglePieces(request, context, { store, guard, piecePort: options.piecePort() }),
  };
}

export function persistentCacheLocal(kept: KeptTasks): Required<Pick<Local, 'removeKeptTask'>> {
  return {
    removeKeptTask: async ({ taskId }, { caller, signal }) => {
      await kept.removeEverywhere(taskId, caller, signal);
      return {};
    },
  };
}

async function* download(
  request: DownloadPersistentCacheTaskRequest,
  context: CallContext,
  { kept, store, schedulers, hostId, outputRoots: roots }: ServiceOptions,
): AsyncGenerator<DownloadPersistentCacheTaskResponse> {
  const { taskId, persistent, digest, outputPath, overwrite, forceHardLink, needPieceContent } = request;
  const { caller } = context;
  if (persistent && !store.keepsStorage)
    throw new DragonflyError('FAILED_PRECONDITION', 'this node keeps nothing when it stops');
  using deadline = deadlineSignal(context.signal, msOf(request.timeout) ?? downloadTimeoutMs);
  const { signal } = deadline;
  const named = context.metadata.get(schedulerHeader)[0]?.toString();
  const { task: opened, facts } = await kept.open(
    {
      taskId,
      caller,
      persistent,
      ...(request.kept && { facts: fromKeptContent(taskId, request.kept) }),
      ...(persistent && { scheduler: schedulers.callingScheduler({ named, host: context.peerHost }) }),
    },
    signal,
  );
  await using task = opened;
  const { peerId } = task;
  const message = (response: DownloadPersistentCacheTaskResponse['response']): DownloadPersistentCacheTaskResponse => ({
    hostId,
    taskId,
    peerId,
    response,
  });
  const contentLength = facts.contentLengthBytes;
  yield message({ $case: 'downloadPersistentCacheTaskStartedResponse', value: { contentLength } });
  for await (const piece of task.pieces()) {
    const content = needPieceContent ? readPiece(store, taskId, piece) : undefined;
    yield message({ $case: 'downloadPieceFinishedResponse', value: { piece: toPiece(piece, content), more: [] } });
  }
  await task.finished;
  await kept.held(taskId, facts, { persistent });
  if (digest !== undefined) await kept.requireDigest(taskId, digest, signal);
  if (outputPath === undefined) return;
  // An output shares nothing with content that has to stay as it is, unless that is wanted.
  const place = { caller, overwrite, forceHardLink, mayLink: forceHardLink, signal, roots };
  await placeOutput(kept.require(taskId), outputPath, place);
}

/** Extensions are for those who know them. */
function toCaller(task: PersistentCacheTask, extended: boolean): PersistentCacheTask {
  return extended ? task : { ...task, kept: undefined };
}

function toStatLocal(task: StoredTask): StatLocalPersistentCacheTaskResponse {
  const { responseHeader: _, prefetchedAt: __, ...common } = toStatLocalTask(task);
  const seconds = Math.floor((task.record.kept?.ttlMs ?? 0) / 1000);
  return { ...common, persistent: task.persistent, ttl: { seconds, nanos: 0 } };
}

function msOf(duration: { readonly seconds: number; readonly nanos: number } | undefined): number | undefined {
  return duration && Math.min(duration.seconds * 1000 + duration.nanos / 1e6, importLimits.longestTimeoutMs);
}
