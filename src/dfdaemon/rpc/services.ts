/** The two gRPC services of a dfdaemon: Download for programs of this node, Upload for other nodes. */
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError } from '../../core/errors.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type {
  DfdaemonDownloadDefinition,
  DfdaemonUploadDefinition,
  ListTaskEntriesRequest,
  ListTaskEntriesResponse,
} from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { Download, Host } from '../../../gen/common/v2/common.ts';
import { schedulerHeader } from '../../rpc/features.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { BlockList } from '../cluster/block-list.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { KeptTasks } from '../imports/kept-tasks.ts';
import type { PendingUploads } from '../imports/pending-uploads.ts';
import type { PersistentTasks } from '../imports/persistent-tasks.ts';
import type { Sources } from '../source/sources.ts';
import { placeOutput } from '../storage/place-output.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { Removal, TaskStore } from '../storage/task-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import type { Entitlement } from '../task/entitlement.ts';
import type { UploadDesk } from '../transport/upload-desk.ts';
import { asker, downloadStream, type Lend } from './download-stream.ts';
import { toStatLocalTask } from './messages.ts';
import { persistentDownloads, persistentUploads } from './persistent.ts';
import { persistentCacheDownloads, persistentCacheUploads } from './persistent-cache.ts';
import type { ReadGuard } from './read-guard.ts';
import { syncPieces, type PiecePort } from './sync-pieces.ts';

export interface ServiceOptions {
  readonly engine: TaskEngine;
  readonly store: TaskStore;
  readonly schedulers: Schedulers;
  readonly sources: Sources;
  readonly hostId: string;
  /** Query parameters that the operator removes from URLs. */
  readonly filteredQueryParams: readonly string[];
  readonly uploads: UploadDesk;
  readonly guard: ReadGuard;
  readonly entitlement: Entitlement;
  readonly lend: Lend;
  readonly kept: KeptTasks;
  readonly persistent: PersistentTasks;
  readonly pendingUploads: PendingUploads;
  readonly blockList: BlockList;
  /** Directories that outputs must lie below; empty means anywhere. */
  readonly outputRoots: readonly string[];
  readonly piecePort: () => PiecePort;
  readonly readHost: () => Promise<Host>;
}

/** The most entries a listing may have; a longer one is refused rather than truncated. */
const maxEntries = 100_000;

export function downloadHandlers(options: ServiceOptions): Handlers<typeof DfdaemonDownloadDefinition> {
  const { store, schedulers } = options;
  return {
    downloadTask: ({ download, rateLimit, gatherPieces, tellContentFile }, context) =>
      downloadStream(download, context, {
        ...options,
        contentFile:
          tellContentFile === true && readsStore(context.caller)
            ? (taskId) => store.get(taskId)?.content.path
            : undefined,
        gatherPieces: gatherPieces === true,
        rateLimit: rateLimit || undefined,
        placeOutput: (output) => placeTask(options, { ...output, caller: context.caller }),
      }),
    statTask: ({ taskId }, { signal }) => schedulers.statTask(taskId, signal),
    statLocalTask: async ({ taskId }) => toStatLocalTask(requireTask(store, taskId)),
    listLocalTasks: async () => ({ tasks: store.list().map(toStatLocalTask) }),
    listTaskEntries: (request, context) => listEntries(options, request, context),
    deleteTask: async ({ taskId }) => {
      removeTask(options, taskId, { quietly: false });
      await schedulers.forgetting(taskId);
      return {};
    },
    deleteLocalTask: async ({ taskId }) => {
      // Not quietly: its scheduler would otherwise send others here for a task that is gone.
      removeTask(options, taskId, { quietly: false });
      await schedulers.forgetting(taskId);
      return {};
    },
    ...persistentCacheDownloads(options),
    ...persistentDownloads(options),
    deleteHost: async () => {
      await schedulers.leave();
      return {};
    },
  };
}

export function uploadHandlers(options: ServiceOptions): Handlers<typeof DfdaemonUploadDefinition> {
  const { store, schedulers } = options;
  return {
    downloadTask: ({ download }, context) => {
      if (download?.outputPath !== undefined) {
        throw new DragonflyError(
          'PERMISSION_DENIED',
          'an output path is only accepted on the unix socket of this node',
        );
      }
      const named = context.metadata.get(schedulerHeader)[0]?.toString();
      const scheduler = schedulers.callingScheduler({ named, host: context.peerHost });
      // No caller of this port needs the bytes in the stream: nodes fetch them by SyncPieces and the piece port, which checks who
      // they are for.
      return downloadStream(download && { ...download, needPieceContent: false }, context, {
        ...options,
        scheduler,
        onLocal: (taskId) => schedulers.tellHeld(requireTask(store, taskId), scheduler),
      });
    },
    statTask: ({ taskId }, { signal }) => schedulers.statTask(taskId, signal),
    statLocalTask: async ({ taskId }) => toStatLocalTask(requireTask(store, taskId)),
    listTaskEntries: (request, context) => listEntries(options, request, context),
    deleteTask: async ({ taskId }) => {
      removeTask(options, taskId, { quietly: false });
      await schedulers.forgetting(taskId);
      return {};
    },
    syncPieces: (request, context) =>
      syncPieces(request, context, {
        store,
        guard: options.guard,
        piecePort: options.piecePort(),
        uploads: options.uploads,
        announcer: (task) => options.engine.announcerOf(task),
      }),
    ...persistentCacheUploads(options),
    ...persistentUploads(options),
    syncHost: (_request, context) => hostReports(options.readHost, context),
  };
}

function requireTask(store: TaskStore, taskId: string): StoredTask {
  const task = store.get(taskId);
  if (!task) throw new DragonflyError('NOT_FOUND', `task ${taskId} is not on this node`);
  return task;
}

/** Nobody is told of the store who could not read it anyhow. */
function readsStore(caller: Caller): boolean {
  return (
    caller.kind === 'local' && (caller.uid === 0 || (caller.uid !== undefined && caller.uid === process.geteuid?.()))
  );
}

/** Listeners of the store notify everyone else. */
function removeTask({ engine, store }: ServiceOptions, taskId: string, removal: Removal): void {
  if (requireTask(store, taskId).persistent)
    throw new DragonflyError('FAILED_PRECONDITION', `task ${taskId} is a replica that has to stay on this node`, {
      hint: 'Delete it on all nodes with "dfcache rm" or "dfstore rm".',
    });
  engine.stop(taskId, new DragonflyError('CANCELLED', 'the task was deleted'));
  store.remove(taskId, removal);
}

async function placeTask(
  { store, outputRoots: roots }: ServiceOptions,
  { taskId, download, caller, signal }: { taskId: string; download: Download; caller: Caller; signal: AbortSignal },
): Promise<void> {
  if (download.range)
    throw new DragonflyError('INVALID_ARGUMENT', 'a part of the content cannot be placed as a file by the daemon');
  const { outputPath = '', overwrite, forceHardLink } = download;
  await placeOutput(requireTask(store, taskId), outputPath, { caller, overwrite, forceHardLink, signal, roots });
}

async function listEntries(
  { sources, schedulers }: Pick<ServiceOptions, 'sources' | 'schedulers'>,
  request: ListTaskEntriesRequest,
  { caller, signal }: CallContext,
): Promise<ListTaskEntriesResponse> {
  const hub = request.huggingFace ?? request.modelScope ?? request.openCsg;
  const entries: ListTaskEntriesResponse['entries'] = [];
  const listing = sources.list({
    caller: asker(caller, request.remoteIp),
    url: request.url,
    header: request.requestHeader,
    objectStorage: request.objectStorage && { ...request.objectStorage },
    ...(request.hdfs && { hdfs: { delegationToken: request.hdfs.delegationToken } }),
    ...(hub && { hub: { token: hub.token, revision: hub.revision, baseUrl: hub.baseUrl } }),
    signal,
  });
  for await (const { url, contentLengthBytes, isDirectory, validator, digest } of listing) {
    if (entries.length >= maxEntries)
      throw new DragonflyError('RESOURCE_EXHAUSTED', `${request.url} has more than ${maxEntries} entries`);
    entries.push({ url, contentLength: contentLengthBytes, isDir: isDirectory, validator, digest });
  }
  // A scheduler of the original would send seeds for what they cannot know.
  return { contentLength: 0, responseHeader: {}, entries, bundles: schedulers.kinds !== 'original' };
}

/** The load of this node, by which children of the original choose parents; the protocol asks for one report about every second. */
async function* hostReports(readHost: () => Promise<Host>, { signal }: CallContext): AsyncGenerator<Host> {
  while (!signal.aborted) {
    yield await readHost();
    await delay(1000, undefined, { signal }).catch(() => undefined);
  }
}
