/** The verbs of `dfctl task` that ask the dfdaemon of this node. */
import type { CommandIo } from '../../core/process/command.ts';
import { toDragonflyError, type DragonflyError } from '../../core/errors.ts';
import { formatBytes, formatDurationMs } from '../../core/units.ts';
import { createClient } from '../../rpc/client.ts';
import type { Task } from '../../../gen/common/v2/common.ts';
import { DfdaemonDownloadDefinition, type StatLocalTaskResponse } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { connectDaemon } from '../daemon-connection.ts';
import type { DaemonClient } from '../dfget/download.ts';
import { wholeTaskIds } from './task-ids.ts';

export interface Flags {
  readonly endpoint?: string;
  readonly json?: boolean;
  readonly local?: boolean;
}

export async function showTask(id: string, flags: Flags, io: CommandIo): Promise<number> {
  return withDaemon(flags, io, async (client) => {
    const [taskId = id] = await wholeTaskIds([id], client, io.signal);
    const task = await client.statLocalTask({ taskId }, { signal: io.signal });
    const scheduler = await schedulersView(client, taskId, io.signal);
    if (flags.json) {
      const known = 'error' in scheduler ? scheduler : schedulerJson(scheduler);
      io.stdout.write(`${JSON.stringify({ ...taskJson(task), scheduler: known })}\n`);
      return 0;
    }
    const rows: [string, string][] = [
      ['task', task.taskId],
      ['state', stateOf(task)],
      ['size', task.contentLength === undefined ? 'not known yet' : `${sizeOf(task)} (${task.contentLength} bytes)`],
      ['piece length', task.pieceLength === undefined ? 'not known yet' : formatBytes(task.pieceLength)],
      ['created', dateText(task.createdAt)],
      ['last used', dateText(task.updatedAt)],
      ['finished', dateText(task.finishedAt)],
      ['uploads', `${task.uploadedCount} done, ${task.uploadingCount} running`],
      ...Object.entries(task.responseHeader).map(([name, value]): [string, string] => [`header ${name}`, value]),
      ['scheduler', 'error' in scheduler ? scheduler.error : schedulerText(scheduler)],
    ];
    io.stdout.write(rows.map(([name, value]) => `${name.padEnd(14)}  ${value}\n`).join(''));
    return 0;
  });
}

/** Removes every task that can be removed; the first failure is the result. */
export async function removeTasks(ids: readonly string[], flags: Flags, io: CommandIo): Promise<number> {
  return withDaemon(flags, io, async (client) => {
    let failure: DragonflyError | undefined;
    for (const taskId of await wholeTaskIds(ids, client, io.signal)) {
      try {
        await (flags.local ? client.deleteLocalTask : client.deleteTask)({ taskId }, { signal: io.signal });
        io.stdout.write(flags.json ? `${JSON.stringify({ taskId, removed: true })}\n` : `removed ${taskId}\n`);
      } catch (error) {
        const known = toDragonflyError(error);
        failure ??= known;
        if (ids.length > 1) io.stderr.write(`dfctl: ${known.message}\n`);
      }
    }
    if (failure) throw failure;
    return 0;
  });
}

async function withDaemon(
  flags: Flags,
  io: CommandIo,
  work: (client: DaemonClient) => Promise<number>,
): Promise<number> {
  await using daemon = await connectDaemon(flags.endpoint, io);
  return await work(createClient(DfdaemonDownloadDefinition, daemon.channels, daemon.endpoint.address));
}

/** The scheduler's knowledge is an extra: if it cannot be had, the local part is still shown. */
async function schedulersView(
  client: DaemonClient,
  taskId: string,
  signal: AbortSignal,
): Promise<Task | { error: string }> {
  try {
    return await client.statTask({ taskId }, { signal });
  } catch (error) {
    const failure = toDragonflyError(error);
    if (failure.code === 'NOT_FOUND') return { error: 'does not know this task' };
    return { error: failure.message };
  }
}

function schedulerText(task: Task): string {
  const peers = `${task.peerCount} ${task.peerCount === 1 ? 'peer' : 'peers'}`;
  return `${task.state || 'state unknown'}, ${peers}${task.hasAvailablePeer ? '' : ', none of them can serve it'}, ${task.url}`;
}

function schedulerJson({ state, url, peerCount, hasAvailablePeer }: Task): object {
  return { state, url, peerCount, hasAvailablePeer };
}

function taskJson(task: StatLocalTaskResponse): object {
  return { state: stateOf(task), ...task };
}

export function stateOf(task: StatLocalTaskResponse): string {
  if (task.finishedAt) return 'finished';
  return task.failedAt ? 'failed' : 'partial';
}

export function sizeOf(task: StatLocalTaskResponse): string {
  return task.contentLength === undefined ? '?' : formatBytes(task.contentLength);
}

export function ago(date: Date | undefined): string {
  return date ? `${formatDurationMs(Math.max(0, Date.now() - date.getTime()))} ago` : '-';
}

function dateText(date: Date | undefined): string {
  return date ? `${date.toISOString()} (${ago(date)})` : '-';
}
