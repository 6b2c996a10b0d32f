/** `dfstore import` and `dfstore export`. */
import { basename, resolve } from 'node:path';
import type { CommandIo } from '../../core/process/command.ts';
import { formatDigest, parseDigest } from '../../core/digest.ts';
import { DragonflyError } from '../../core/errors.ts';
import { createClient } from '../../rpc/client.ts';
import {
  DfdaemonDownloadDefinition,
  DownloadPersistentTaskRequest,
  UploadPersistentTaskRequest,
} from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { connectDaemon, type DaemonConnection } from '../daemon-connection.ts';
import { timeoutOf } from '../dfcache/flags.ts';
import { commonOf, longestImportMs, requireFile } from '../dfcache/import.ts';
import { placeContent, type PlaceFlags, type Told } from '../dfcache/place-content.ts';
import { ProgressBar } from '../dfget/progress-bar.ts';
import { objectName, type StorageFlags } from './storage-flags.ts';

export interface StoreImportFlags extends StorageFlags {
  readonly url?: string;
  readonly write: string;
  readonly persistentReplicaCount: string;
  readonly ttl: string;
  readonly timeout?: string;
}

export interface StoreExportFlags extends StorageFlags, PlaceFlags {
  readonly timeout?: string;
}

/** The original's time limits for an import and an export. */
const [importTimeout, exportTimeout] = ['30m', '2h'];
const ways = ['through', 'back', 'replicas'];

export async function importObject(path: string, flags: StoreImportFlags, io: CommandIo): Promise<number> {
  if (flags.url === undefined)
    throw new DragonflyError('INVALID_ARGUMENT', 'there is no object', { hint: 'Name it with --url s3://bucket/key.' });
  const { url, objectStorage } = objectName(flags.url, flags);
  const { write, timeout = importTimeout } = flags;
  if (!ways.includes(write))
    throw new DragonflyError('INVALID_ARGUMENT', `"${write}" is not a valid value of --write`, {
      hint: `Write ${ways.join(', ')}.`,
    });
  const request = { url, objectStorage, path: resolve(path), write, ...commonOf({ ...flags, timeout }) };
  await requireFile(request.path);
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonDownloadDefinition, daemon.channels, daemon.endpoint.address);
  using _progress = new ProgressBar(io.stderr, { label: basename(path).slice(0, 30), visible: flags.progress });
  const asked = UploadPersistentTaskRequest.fromPartial(request);
  await client.uploadPersistentTask(asked, { signal: io.signal, timeoutMs: longestImportMs });
  io.stdout.write(`Done: ${url}\n`);
  return 0;
}

export async function exportObject(text: string, flags: StoreExportFlags, io: CommandIo): Promise<number> {
  const { url, objectStorage } = objectName(text, flags);
  const digest = flags.digest === undefined ? undefined : formatDigest(parseDigest(flags.digest));
  const timeout = timeoutOf(flags.timeout ?? exportTimeout);
  const request = { url, objectStorage, ...(digest !== undefined && { digest }), ...(timeout && { timeout }) };
  await placeContent(flags, io, (daemon, wanted) =>
    downloadOf(daemon, DownloadPersistentTaskRequest.fromPartial({ ...request, ...wanted }), io.signal),
  );
  return 0;
}

async function* downloadOf(
  { channels, endpoint }: DaemonConnection,
  request: DownloadPersistentTaskRequest,
  signal: AbortSignal,
): AsyncGenerator<Told> {
  const client = createClient(DfdaemonDownloadDefinition, channels, endpoint.address);
  for await (const { response } of client.downloadPersistentTask(request, { signal })) {
    if (response?.$case === 'downloadPersistentTaskStartedResponse')
      yield { lengthBytes: response.value.contentLength };
    else if (response?.value.piece) yield { piece: response.value.piece };
  }
}
