/** `dfcache import`: the daemon of this node reads the file, with this user's rights. */
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { maxPieceLengthBytes, minPieceLengthBytes } from '../../core/piece-layout.ts';
import { formatBytes, parseBytes, parseDurationMs } from '../../core/units.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition, UploadPersistentCacheTaskRequest } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import type { Duration } from '../../../gen/google/protobuf/duration.ts';
import { connectDaemon } from '../daemon-connection.ts';
import { ProgressBar } from '../dfget/progress-bar.ts';
import { timeoutOf, toDuration, type CommonFlags } from './flags.ts';

export interface ImportFlags extends CommonFlags {
  readonly contentForCalculatingTaskId?: string;
  readonly persistentReplicaCount: string;
  readonly pieceLength?: string;
  readonly application?: string;
  readonly tag?: string;
  readonly ttl: string;
  readonly timeout: string;
}

const [minTtlMs, maxTtlMs] = [5 * 60_000, 7 * 24 * 3_600_000];
const maxReplicas = 5;
/** The daemon enforces the requested time; this limit only ends a call to a daemon that hangs. */
export const longestImportMs = 7 * 24 * 3_600_000;

export async function importFile(path: string, flags: ImportFlags, io: CommandIo): Promise<number> {
  const request = requestOf(resolve(path), flags);
  await requireFile(path);
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonDownloadDefinition, daemon.channels, daemon.endpoint.address);
  using _progress = new ProgressBar(io.stderr, { label: basename(path).slice(0, 30), visible: flags.progress });
  const task = await client.uploadPersistentCacheTask(request, { signal: io.signal, timeoutMs: longestImportMs });
  io.stdout.write(`Done: ${task.id}\n`);
  return 0;
}

/** Throws INVALID_ARGUMENT. */
function requestOf(path: string, flags: ImportFlags): UploadPersistentCacheTaskRequest {
  const { contentForCalculatingTaskId, application, tag } = flags;
  const pieceLength = flags.pieceLength === undefined ? undefined : parseBytes(flags.pieceLength);
  if (pieceLength !== undefined && (pieceLength < minPieceLengthBytes || pieceLength > maxPieceLengthBytes))
    throw invalid(
      `"${flags.pieceLength}" is not a valid value of --piece-length`,
      `Write a size from ${formatBytes(minPieceLengthBytes)} to ${formatBytes(maxPieceLengthBytes)}.`,
    );
  return UploadPersistentCacheTaskRequest.fromPartial({
    path,
    ...commonOf(flags),
    ...(pieceLength !== undefined && { pieceLength }),
    ...(contentForCalculatingTaskId !== undefined && { contentForCalculatingTaskId }),
    ...(application !== undefined && { application }),
    ...(tag !== undefined && { tag }),
  });
}

/** The fields that every import has. Throws INVALID_ARGUMENT. */
export function commonOf(flags: Pick<ImportFlags, 'ttl' | 'persistentReplicaCount' | 'timeout'>): {
  readonly persistentReplicaCount: number;
  readonly ttl: Duration;
  readonly timeout?: Duration;
} {
  const ttlMs = parseDurationMs(flags.ttl);
  if (!(ttlMs >= minTtlMs && ttlMs <= maxTtlMs))
    throw invalid(`"${flags.ttl}" is not a valid value of --ttl`, 'Write a time from 5m to 7d.');
  const replicas = /^\d{1,9}$/.test(flags.persistentReplicaCount) ? Number(flags.persistentReplicaCount) : 0;
  if (replicas < 1 || replicas > maxReplicas)
    throw invalid(
      `"${flags.persistentReplicaCount}" is not a valid value of --persistent-replica-count`,
      `Write a whole number from 1 to ${maxReplicas}.`,
    );
  const timeout = timeoutOf(flags.timeout);
  return { persistentReplicaCount: replicas, ttl: toDuration(ttlMs), ...(timeout && { timeout }) };
}

/** Checked before the daemon is asked, because the message about a wrong path then names the path as the user wrote it. */
export async function requireFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new DragonflyError('INVALID_ARGUMENT', `there is no file ${path}`, { cause });
  });
  if (found.isFile()) return;
  throw invalid(`${path} is ${found.isDirectory() ? 'a directory' : 'no file'}`, 'Import one file at a time.');
}

function invalid(message: string, hint: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', message, { hint });
}
