/** `dfcache export`: written by the daemon when it has the same user, else by this process. As with dfget, the output is whole or untouched. */
import { basename } from 'node:path';
import type { CommandIo } from '../../core/process/command.ts';
import { formatDigest, parseDigest } from '../../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { outputTarget } from '../../core/files/output-file.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition, DownloadPersistentCacheTaskRequest } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { connectDaemon, type DaemonConnection } from '../daemon-connection.ts';
import type { DaemonClient } from '../dfget/download.ts';
import { ProgressBar } from '../dfget/progress-bar.ts';
import { FileSink, type ContentSink } from '../output-file.ts';
import { StreamSink } from '../output-stream.ts';
import { requireTaskId, timeoutOf, type CommonFlags } from './flags.ts';

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
  const { output, overwrite = false, forceHardLink = false, application, tag } = flags;
  if (output === undefined)
    throw new DragonflyError('INVALID_ARGUMENT', 'there is no output', { hint: 'Name a file with -O.' });
  const digest = flags.digest === undefined ? undefined : parseDigest(flags.digest);
  const timeout = timeoutOf(flags.timeout);
  const target = await outputTarget(output, overwrite);
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonDownloadDefinition, daemon.channels, daemon.endpoint.address);
  const request = {
    taskId,
    overwrite,
    forceHardLink,
    ...(digest && { digest: formatDigest(digest) }),
    ...(timeout && { timeout }),
    ...(application !== undefined && { application }),
    ...(tag !== undefined && { tag }),
  };
  using progress = new ProgressBar(io.stderr, { label: basename(target.path).slice(0, 30), visible: flags.progress });
  const follow = { client, progress, signal: io.signal };
  const places = flags.transferFromDfdaemon !== true && daemon.endpoint.ownerUid === process.geteuid?.();
  if (target.kind === 'file' && places) {
    await receive(follow, { ...request, outputPath: target.path }, undefined);
    return 0;
  }
  if (forceHardLink)
    throw new DragonflyError('OUTPUT', `${target.path} cannot be a hard link: this user writes it himself`, {
      hint: 'Leave out --force-hard-link.',
    });
  const onFirstByte = (): void => undefined;
  await using sink =
    target.kind === 'file'
      ? await FileSink.create(target.path, { digest, overwrite })
      : await StreamSink.toSpecial(target.path, { digest, onFirstByte, signal: io.signal });
  await receive(follow, { ...request, needPieceContent: true }, sink);
  return 0;
}

/** Content of a task as a file that is only to be read: where the daemon has this user, it may share the blocks of its store. */
export async function fetchKept(
  { channels, endpoint }: DaemonConnection,
  order: { readonly taskId: string; readonly path: string; readonly application: string; readonly signal: AbortSignal },
): Promise<void> {
  const { taskId, path, application, signal } = order;
  const client = createClient(DfdaemonDownloadDefinition, channels, endpoint.address);
  const follow = { client, progress: undefined, signal };
  const ways = endpoint.ownerUid === process.geteuid?.() ? [{ forceHardLink: true }, {}] : [];
  for (const way of ways) {
    try {
      return await receive(follow, { taskId, application, outputPath: path, ...way }, undefined);
    } catch (error) {
      // Another file system, or a place where this daemon writes nothing.
      const { code } = toDragonflyError(error);
      if (code !== 'OUTPUT' && code !== 'PERMISSION_DENIED') throw error;
    }
  }
  await using sink = await FileSink.create(path, { digest: undefined, overwrite: false });
  await receive(follow, { taskId, application, needPieceContent: true }, sink);
}

async function receive(
  { client, progress, signal }: { client: DaemonClient; progress: ProgressBar | undefined; signal: AbortSignal },
  request: Partial<DownloadPersistentCacheTaskRequest>,
  sink: ContentSink | undefined,
): Promise<void> {
  let lengthBytes = 0;
  let received = 0;
  const asked = DownloadPersistentCacheTaskRequest.fromPartial(request);
  for await (const { response } of client.downloadPersistentCacheTask(asked, { signal })) {
    if (response?.$case === 'downloadPersistentCacheTaskStartedResponse') {
      lengthBytes = response.value.contentLength;
      progress?.expect(lengthBytes);
    }
    const piece = response?.$case === 'downloadPieceFinishedResponse' ? response.value.piece : undefined;
    if (!piece) continue;
    const { content, offset, length } = piece;
    if (sink && content?.length !== length)
      throw new DragonflyError('PROTOCOL', 'the dfdaemon sent a piece without its content');
    if (sink && content) await sink.write(offset, Buffer.from(content.buffer, content.byteOffset, content.length));
    received += length;
    progress?.advance(length);
  }
  if (received !== lengthBytes)
    throw new DragonflyError('PROTOCOL', `the dfdaemon sent ${received} of ${lengthBytes} bytes`, {
      hint: 'Try again.',
    });
  await sink?.finish(lengthBytes);
}
