/** The verbs of `dfctl task` that read the dfdaemon's store: verify, export, receipts. */
import { resolve } from 'node:path';
import type { CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { outputTarget, type OutputTarget } from '../../core/files/output-file.ts';
import { createClient, type RpcClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import {
  DfdaemonLocalDefinition,
  ExportLocalTaskRequest,
  ListReceiptsRequest,
} from '../../../gen/dfdaemon/v2/local.ts';
import { connectDaemon, type DaemonConnection } from '../daemon-connection.ts';
import type { Flags } from './task.ts';
import { FileSink, type ContentSink } from '../output-file.ts';
import { StreamSink } from '../output-stream.ts';
import { receiptJson, receiptText } from '../receipt-text.ts';
import { wholeTaskIds } from './task-ids.ts';

export interface ExportFlags extends Flags {
  readonly output: string;
  readonly overwrite?: boolean;
  readonly transferFromDfdaemon?: boolean;
}

export interface ReceiptFlags extends Flags {
  readonly limit: string;
}

/** Reading a task of 100 GiB takes minutes. */
const verifyTimeoutMs = 3_600_000;

export async function verifyTasks(ids: readonly string[], flags: Flags, io: CommandIo): Promise<number> {
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = localClient(daemon);
  let broken = 0;
  for (const taskId of await taskIds(ids, daemon, io)) {
    const options = { signal: io.signal, timeoutMs: verifyTimeoutMs };
    const { pieceCount, badPieces } = await client.verifyLocalTask({ taskId }, options);
    if (badPieces.length > 0) broken += 1;
    const verdict = badPieces.length === 0 ? 'all right' : `BROKEN: pieces ${badPieces.join(', ')}`;
    io.stdout.write(
      flags.json
        ? `${JSON.stringify({ taskId, pieceCount, badPieces })}\n`
        : `${taskId}  ${pieceCount} pieces, ${verdict}\n`,
    );
  }
  if (broken === 0) return 0;
  throw new DragonflyError('DIGEST_MISMATCH', `${broken} of ${ids.length} tasks are not what they were`, {
    hint: 'Check the disk; the broken pieces are fetched again when they are needed.',
  });
}

export async function exportTask(id: string, flags: ExportFlags, io: CommandIo): Promise<number> {
  const overwrite = flags.overwrite === true;
  const target = flags.output === '-' ? undefined : await outputTarget(flags.output, overwrite);
  await using daemon = await connectDaemon(flags.endpoint, io);
  const [taskId = id] = await taskIds([id], daemon, io);
  const client = localClient(daemon);
  const { signal } = io;
  // As with dfget, only a daemon of the same user writes files on our behalf.
  const places = flags.transferFromDfdaemon !== true && daemon.endpoint.ownerUid === process.geteuid?.();
  if (target?.kind === 'file' && places) {
    const request = ExportLocalTaskRequest.fromPartial({ taskId, outputPath: target.path, overwrite });
    for await (const _answer of client.exportLocalTask(request, { signal }));
  } else {
    await using sink = await openSink(target, overwrite, io);
    await copyTo(sink, client, taskId, signal);
  }
  if (target) {
    const output = resolve(flags.output);
    io.stdout.write(flags.json ? `${JSON.stringify({ taskId, output })}\n` : `written to ${output}\n`);
  }
  return 0;
}

async function openSink(target: OutputTarget | undefined, overwrite: boolean, io: CommandIo): Promise<ContentSink> {
  const onFirstByte = (): void => undefined;
  if (!target) return new StreamSink(io.stdout, undefined, onFirstByte);
  const { kind, path } = target;
  if (kind === 'file') return FileSink.create(path, { overwrite, digest: undefined });
  return StreamSink.toSpecial(path, { digest: undefined, onFirstByte, signal: io.signal });
}

async function copyTo(sink: ContentSink, client: LocalClient, taskId: string, signal: AbortSignal): Promise<void> {
  let received = 0;
  let lengthBytes = 0;
  const request = ExportLocalTaskRequest.fromPartial({ taskId, needContent: true });
  for await (const { contentLength, offset, content } of client.exportLocalTask(request, { signal })) {
    lengthBytes = contentLength;
    await sink.write(offset, Buffer.from(content.buffer, content.byteOffset, content.length));
    received += content.length;
  }
  if (received !== lengthBytes) {
    throw new DragonflyError('PROTOCOL', `the dfdaemon sent ${received} of ${lengthBytes} bytes`, {
      hint: 'Try again.',
    });
  }
  await sink.finish(received);
}

export async function listReceipts(id: string | undefined, flags: ReceiptFlags, io: CommandIo): Promise<number> {
  const limit = /^\d{1,6}$/.test(flags.limit) ? Number(flags.limit) : 0;
  if (limit === 0) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${flags.limit}" is not a valid value of --limit`, {
      hint: 'Write a whole number.',
    });
  }
  await using daemon = await connectDaemon(flags.endpoint, io);
  const [taskId] = id === undefined ? [] : await taskIds([id], daemon, io);
  const request = ListReceiptsRequest.fromPartial({ limit, ...(taskId !== undefined && { taskId }) });
  const { receipts } = await localClient(daemon).listReceipts(request, { signal: io.signal });
  for (const { contentLength, finishedAt, ...done } of receipts) {
    const result = { ...done, contentLengthBytes: contentLength };
    const when = finishedAt?.toISOString() ?? '';
    io.stdout.write(flags.json ? `${receiptJson(result)}\n` : `${when}  ${receiptText(result)}`);
  }
  if (receipts.length === 0 && !flags.json) io.stdout.write('There are no receipts.\n');
  return 0;
}

type LocalClient = RpcClient<typeof DfdaemonLocalDefinition>;

function localClient({ channels, endpoint }: DaemonConnection): LocalClient {
  return createClient(DfdaemonLocalDefinition, channels, endpoint.address);
}

function taskIds(texts: readonly string[], { channels, endpoint }: DaemonConnection, io: CommandIo): Promise<string[]> {
  return wholeTaskIds(texts, createClient(DfdaemonDownloadDefinition, channels, endpoint.address), io.signal);
}
