/** The calls about persistent tasks: by programs on this node (Download), and by schedulers (Upload). */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { redact } from '../../core/redact.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import { fromKeptContent, toKeptContent } from '../../rpc/fields/kept-content.ts';
import { Download as DownloadMessage, type ObjectStorage, type PersistentTask } from '../../../gen/common/v2/common.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type {
  DfdaemonDownloadDefinition,
  DfdaemonUploadDefinition,
  DownloadPersistentTaskRequest,
  DownloadPersistentTaskResponse,
  StatLocalPersistentTaskResponse,
} from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import type { PersistentTasks, WriteMode } from '../imports/persistent-tasks.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import { placeOutput } from '../storage/place-output.ts';
import { downloadStream } from './download-stream.ts';
import { keptDownload, msOf, refuseOutput, type KeptNews } from './kept-download.ts';
import { toStatLocalTask } from './messages.ts';
import type { ServiceOptions } from './services.ts';
import { syncSinglePieces } from './sync-pieces.ts';

type Download = Handlers<typeof DfdaemonDownloadDefinition>;
type Upload = Handlers<typeof DfdaemonUploadDefinition>;
type Local = Handlers<typeof DfdaemonLocalDefinition>;

export function persistentDownloads(
  options: ServiceOptions,
): Required<
  Pick<
    Download,
    | 'downloadPersistentTask'
    | 'uploadPersistentTask'
    | 'statPersistentTask'
    | 'statLocalPersistentTask'
    | 'listLocalPersistentTasks'
  >
> {
  const { kept, persistent, blockList } = options;
  const toStat = (task: StoredTask): StatLocalPersistentTaskResponse => toStatLocal(task, options);
  return {
    downloadPersistentTask: (request, context) => {
      blockList.checkPersistent('download', request);
      return read(request, context, options);
    },
    uploadPersistentTask: async (request, { caller, signal, callerHasSwarm }) => {
      blockList.checkPersistent('upload', request);
      const { url, path, ttl, timeout, objectStorage, write, persistentReplicaCount: replicas } = request;
      const ttlMs = (ttl?.seconds ?? 0) * 1000;
      const storage = storageOf(objectStorage);
      const order = { url, storage, path, caller, replicas, ttlMs, timeoutMs: msOf(timeout), write: modeOf(write) };
      return toCaller(await persistent.import(order, signal), callerHasSwarm);
    },
    statPersistentTask: async ({ taskId }, { signal, callerHasSwarm }) =>
      toCaller(await persistent.stat(taskId, signal), callerHasSwarm),
    statLocalPersistentTask: async ({ taskId }) => toStat(requirePersistent(options, taskId)),
    listLocalPersistentTasks: async () => ({ tasks: kept.list('persistent').map(toStat) }),
  };
}

export function persistentUploads(
  options: ServiceOptions,
): Required<
  Pick<
    Upload,
    | 'downloadPersistentTask'
    | 'updatePersistentTask'
    | 'statPersistentTask'
    | 'deletePersistentTask'
    | 'syncPersistentPieces'
  >
> {
  const { kept, persistent, store, guard } = options;
  return {
    downloadPersistentTask: async function* (request, context) {
      refuseOutput(request.outputPath);
      const { url, objectStorage } = request;
      const { taskId, object } = persistent.nameOf({ url, storage: storageOf(objectStorage) });
      const facts = request.kept
        ? fromKeptContent(taskId, request.kept)
        : await persistent.known(taskId, object, context.signal);
      for await (const news of keptDownload({ ...request, taskId, facts, isGiven: true }, context, options))
        yield toMessage(news);
    },
    updatePersistentTask: async ({ taskId, persistent: stays, kept: told }) => {
      kept.update(taskId, stays, told && fromKeptContent(taskId, told));
      return {};
    },
    statPersistentTask: ({ taskId }, { signal }) => persistent.stat(taskId, signal),
    deletePersistentTask: async ({ taskId }) => {
      await kept.remove(taskId);
      return {};
    },
    syncPersistentPieces: (request, context) =>
      syncSinglePieces(request, context, { store, guard, piecePort: options.piecePort() }),
  };
}

export function persistentLocal(persistent: PersistentTasks): Required<Pick<Local, 'removePersistentTask'>> {
  return {
    removePersistentTask: async ({ url, objectStorage, keepObject }, { caller, signal }) => {
      await persistent.remove({ url, storage: storageOf(objectStorage), keepObject, caller }, signal);
      return {};
    },
  };
}

/** Reads from the nodes that hold it, or from the store like any other content, and then only once for the cluster. */
async function* read(
  request: DownloadPersistentTaskRequest,
  context: CallContext,
  options: ServiceOptions,
): AsyncGenerator<DownloadPersistentTaskResponse> {
  const { url, objectStorage } = request;
  const order = { url, storage: storageOf(objectStorage), caller: context.caller };
  const found = await options.persistent.find(order, context.signal);
  if (found.from === 'store') return yield* readFromStore(request, context, options);
  const { facts, alsoStored } = found;
  let began = false;
  try {
    const wanted = { ...request, persistent: false, taskId: facts.taskId, facts, isGiven: true };
    for await (const news of keptDownload(wanted, context, options)) {
      // The length is sent with the first piece, because until then the content may still come from elsewhere.
      if (!('piece' in news) && facts.contentLengthBytes > 0) continue;
      const { hostId, taskId, peerId } = news;
      if (!began) yield toMessage({ hostId, taskId, peerId, contentLength: facts.contentLengthBytes });
      began = true;
      if ('piece' in news) yield toMessage(news);
    }
    return;
  } catch (error) {
    const { code } = toDragonflyError(error);
    if (began || !alsoStored || context.signal.aborted || code === 'OUTPUT' || code === 'DIGEST_MISMATCH') throw error;
  }
  yield* readFromStore(request, context, options);
}

async function* readFromStore(
  request: DownloadPersistentTaskRequest,
  context: CallContext,
  options: ServiceOptions,
): AsyncGenerator<DownloadPersistentTaskResponse> {
  const { url, objectStorage, outputPath, overwrite, forceHardLink, digest, needPieceContent, timeout } = request;
  const download = DownloadMessage.fromPartial({
    url,
    priority: 6,
    overwrite,
    forceHardLink,
    needPieceContent,
    ...(objectStorage && { objectStorage }),
    ...(outputPath !== undefined && { outputPath }),
    ...(digest !== undefined && { digest }),
    ...(timeout && { timeout }),
  });
  const { store, outputRoots: roots } = options;
  const answers = downloadStream(download, context, {
    ...options,
    placeOutput: async ({ taskId, signal }) => {
      const task = store.get(taskId);
      if (!task) throw new DragonflyError('NOT_FOUND', `task ${taskId} is not on this node`);
      await placeOutput(task, outputPath ?? '', { caller: context.caller, overwrite, forceHardLink, signal, roots });
    },
  });
  for await (const { hostId, taskId, peerId, response } of answers) {
    const ids = { hostId, taskId, peerId };
    if (response?.$case === 'downloadTaskStartedResponse')
      yield toMessage({ ...ids, contentLength: response.value.contentLength });
    if (response?.$case === 'downloadPieceFinishedResponse' && response.value.piece)
      yield toMessage({ ...ids, piece: response.value.piece });
  }
}

function toMessage(news: KeptNews): DownloadPersistentTaskResponse {
  const { hostId, taskId, peerId } = news;
  const response: DownloadPersistentTaskResponse['response'] =
    'piece' in news
      ? { $case: 'downloadPieceFinishedResponse', value: { piece: news.piece, more: [] } }
      : { $case: 'downloadPersistentTaskStartedResponse', value: { contentLength: news.contentLength } };
  return { hostId, taskId, peerId, response };
}

function requirePersistent({ kept }: ServiceOptions, taskId: string): StoredTask {
  const task = kept.require(taskId);
  if (task.record.kept?.object) return task;
  throw new DragonflyError('NOT_FOUND', `persistent task ${taskId} is not on this node`);
}

/** Extensions are only sent to callers that know them. */
function toCaller(task: PersistentTask, extended: boolean): PersistentTask {
  return extended ? task : { ...task, kept: undefined };
}

function toStatLocal(task: StoredTask, { pendingUploads }: ServiceOptions): StatLocalPersistentTaskResponse {
  const { responseHeader: _, prefetchedAt: __, ...common } = toStatLocalTask(task);
  const { kept } = task.record;
  const { contentLengthBytes = 0, pieceLengthBytes = 0, identity } = task;
  const facts = kept && { ...kept, ...identity, taskId: task.id, contentLengthBytes, pieceLengthBytes };
  return {
    ...common,
    persistent: task.persistent,
    ttl: { seconds: Math.floor((kept?.ttlMs ?? 0) / 1000), nanos: 0 },
    kept: facts && toKeptContent(facts, task.persistent),
    uploadFailure: redact(pendingUploads.failureOf(task.id)),
  };
}

/** As sources take it. */
function storageOf(storage: ObjectStorage | undefined): Readonly<Record<string, string | boolean | undefined>> {
  return { ...storage };
}

/** The value was already validated at the border. */
function modeOf(write: string): WriteMode {
  return write === '' ? 'through' : (write as WriteMode);
}
