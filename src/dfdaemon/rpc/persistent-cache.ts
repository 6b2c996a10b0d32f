/** The calls about persistent cache tasks: by programs on this node (Download), and by schedulers (Upload). */
import type { CallContext } from '../../rpc/call-context.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import { fromKeptContent } from '../../rpc/fields/kept-content.ts';
import type { PersistentCacheTask } from '../../../gen/common/v2/common.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type {
  DfdaemonDownloadDefinition,
  DfdaemonUploadDefinition,
  DownloadPersistentCacheTaskRequest,
  DownloadPersistentCacheTaskResponse,
  StatLocalPersistentCacheTaskResponse,
  UploadPersistentCacheTaskRequest,
} from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import type { KeepOrder, KeptTasks } from '../imports/kept-tasks.ts';
import { cacheCalls } from '../imports/import-calls.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import { keptDownload, msOf, refuseOutput } from './kept-download.ts';
import { toStatLocalTask } from './messages.ts';
import type { ServiceOptions } from './services.ts';
import { syncSinglePieces } from './sync-pieces.ts';

type Download = Handlers<typeof DfdaemonDownloadDefinition>;
type Upload = Handlers<typeof DfdaemonUploadDefinition>;
type Local = Handlers<typeof DfdaemonLocalDefinition>;

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
      return toCaller(await kept.import(orderOf(request, caller), signal), callerHasSwarm);
    },
    statPersistentCacheTask: async ({ taskId }, { signal, callerHasSwarm }) =>
      toCaller(await kept.stat(taskId, signal, cacheCalls), callerHasSwarm),
    statLocalPersistentCacheTask: async ({ taskId }) => toStatLocal(kept.require(taskId)),
    listLocalPersistentCacheTasks: async () => ({ tasks: kept.list('persistent cache').map(toStatLocal) }),
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
      refuseOutput(request.outputPath);
      return download(request, context, options);
    },
    updatePersistentCacheTask: async ({ taskId, persistent }) => {
      kept.update(taskId, persistent);
      return {};
    },
    statPersistentCacheTask: ({ taskId }, { signal }) => kept.stat(taskId, signal, cacheCalls),
    deletePersistentCacheTask: async ({ taskId }) => {
      await kept.remove(taskId);
      return {};
    },
    syncPersistentCachePieces: (request, context) =>
      syncSinglePieces(request, context, { store, guard, piecePort: options.piecePort() }),
  };
}

export function persistentCacheLocal(
  kept: KeptTasks,
  blockList: ServiceOptions['blockList'],
): Required<Pick<Local, 'removeKeptTask' | 'importPersistentCacheTask'>> {
  return {
    removeKeptTask: async ({ taskId }, { caller, signal }) => {
      await kept.removeEverywhere(taskId, caller, { signal });
      return {};
    },
    importPersistentCacheTask: async function* (request, { caller, signal, callerHasSwarm }) {
      blockList.checkKept('upload', request);
      const held = Promise.withResolvers<string>();
      const imported = kept.import(orderOf(request, caller), signal, held.resolve);
      const first = await Promise.race([held.promise, imported]);
      if (typeof first === 'string') yield { taskId: first, task: undefined };
      const task = await imported;
      yield { taskId: task.id, task: toCaller(task, callerHasSwarm) };
    },
  };
}

function orderOf(request: UploadPersistentCacheTaskRequest, caller: Caller): KeepOrder {
  const { path, tag, application, ttl, timeout, pieceLength, contentForCalculatingTaskId } = request;
  return {
    path,
    caller,
    tag,
    application,
    pieceLengthBytes: pieceLength,
    contentForCalculatingTaskId,
    replicas: request.persistentReplicaCount,
    ttlMs: (ttl?.seconds ?? 0) * 1000,
    timeoutMs: msOf(timeout),
  };
}

async function* download(
  request: DownloadPersistentCacheTaskRequest,
  context: CallContext,
  options: ServiceOptions,
): AsyncGenerator<DownloadPersistentCacheTaskResponse> {
  const { taskId } = request;
  const facts = request.kept && fromKeptContent(taskId, request.kept);
  for await (const news of keptDownload({ ...request, facts }, context, options)) {
    const { hostId, peerId } = news;
    const response: DownloadPersistentCacheTaskResponse['response'] =
      'piece' in news
        ? { $case: 'downloadPieceFinishedResponse', value: { piece: news.piece, more: [] } }
        : { $case: 'downloadPersistentCacheTaskStartedResponse', value: { contentLength: news.contentLength } };
    yield { hostId, taskId, peerId, response };
  }
}

/** Extensions are only sent to callers that know them. */
function toCaller(task: PersistentCacheTask, extended: boolean): PersistentCacheTask {
  return extended ? task : { ...task, kept: undefined };
}

function toStatLocal(task: StoredTask): StatLocalPersistentCacheTaskResponse {
  const { responseHeader: _, prefetchedAt: __, ...common } = toStatLocalTask(task);
  const seconds = Math.floor((task.record.kept?.ttlMs ?? 0) / 1000);
  return { ...common, persistent: task.persistent, ttl: { seconds, nanos: 0 } };
}
