/** `dfcache export`: writes imported content to a file, by its id. */
import type { CommandIo } from '../../core/process/command.ts';
import { formatDigest, parseDigest } from '../../core/digest.ts';
import { toDragonflyError } from '../../core/errors.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition, DownloadPersistentCacheTaskRequest } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { DaemonConnection } from '../daemon-connection.ts';
import { FileSink } from '../output-file.ts';
import { requireTaskId, timeoutOf, type CommonFlags } from './flags.ts';
import { placeContent, receive, type Told, type Wanted } from './place-content.ts';

export interface ExportFlags extends CommonFlags {
  readonly output?: string;
  readonly transferFromDfdaemon?: boolean;
  readonly overwrite?: boolean;
  readonly forceHardLink?: boolean;
  readonly application?: string;
  readonly tag?: string;
  readonly digest?: string;
  readonly timeout: string;
}

export async function exportTask(id: string, flags: ExportFlags, io: CommandIo): Promise<number> {
  const taskId = requireTaskId(id);
  const { application, tag } = flags;
  const digest = flags.digest === undefined ? undefined : formatDigest(parseDigest(flags.digest));
  const timeout = timeoutOf(flags.timeout);
  const request = {
    taskId,
    ...(digest !== undefined && { digest }),
    ...(timeout && { timeout }),
    ...(application !== undefined && { application }),
    ...(tag !== undefined && { tag }),
  };
  await placeContent(flags, io, (daemon, wanted) => downloadOf(daemon, { ...request, ...wanted }, io.signal));
  return 0;
}

/** Writes a task's content to a file that is only read. A daemon of the same user may share the blocks of its store. */
export async function fetchKept(
  daemon: DaemonConnection,
  order: { readonly taskId: string; readonly path: string; readonly application: string; readonly signal: AbortSignal },
): Promise<void> {
  const { taskId, path, application, signal } = order;
  const ways = daemon.endpoint.ownerUid === process.geteuid?.() ? [{ forceHardLink: true }, {}] : [];
  for (const way of ways) {
    try {
      return await receive(downloadOf(daemon, { taskId, application, outputPath: path, ...way }, signal), {});
    } catch (error) {
      // The path is on another file system, or somewhere this daemon may not write.
      const { code } = toDragonflyError(error);
      if (code !== 'OUTPUT' && code !== 'PERMISSION_DENIED') throw error;
    }
  }
  await using sink = await FileSink.create(path, { digest: undefined, overwrite: false });
  await receive(downloadOf(daemon, { taskId, application, needPieceContent: true }, signal), { sink });
}

/** Brings a task's content to the store of the node, and nowhere else. */
export async function loadKept(
  daemon: DaemonConnection,
  { signal, ...order }: { readonly taskId: string; readonly application: string; readonly signal: AbortSignal },
): Promise<void> {
  for await (const _told of downloadOf(daemon, order, signal));
}

async function* downloadOf(
  { channels, endpoint }: DaemonConnection,
  request: Partial<DownloadPersistentCacheTaskRequest> & Wanted,
  signal: AbortSignal,
): AsyncGenerator<Told> {
  const client = createClient(DfdaemonDownloadDefinition, channels, endpoint.address);
  const asked = DownloadPersistentCacheTaskRequest.fromPartial(request);
  for await (const { response } of client.downloadPersistentCacheTask(asked, { signal })) {
    if (response?.$case === 'downloadPersistentCacheTaskStartedResponse')
      yield { lengthBytes: response.value.contentLength };
    else if (response?.value.piece) yield { piece: response.value.piece };
  }
}
