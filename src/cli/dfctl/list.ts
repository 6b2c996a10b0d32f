/** `dfctl task ls`: lists what is stored on this node, by name and size. */
import type { CommandIo } from '../../core/process/command.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { formatBytes } from '../../core/units.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition, type StatLocalTaskResponse } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition, type StoredTaskSummary } from '../../../gen/dfdaemon/v2/local.ts';
import { connectDaemon, type DaemonConnection } from '../daemon-connection.ts';
import { ago, sizeOf, stateOf, type Flags } from './task.ts';
import { shortened, textTable } from './text-table.ts';

export interface ListFlags extends Flags {
  readonly sort: string;
}

interface Row {
  readonly task: StatLocalTaskResponse;
  /** Undefined for a dfdaemon of the original, which reports no names. */
  readonly named: StoredTaskSummary | undefined;
}

const orders: Readonly<Record<string, (a: Row, b: Row) => number>> = {
  used: (a, b) => timeOf(b.task.updatedAt) - timeOf(a.task.updatedAt),
  created: (a, b) => timeOf(b.task.createdAt) - timeOf(a.task.createdAt),
  size: (a, b) => (b.task.contentLength ?? 0) - (a.task.contentLength ?? 0),
  uploads: (a, b) => b.task.uploadedCount - a.task.uploadedCount,
  name: (a, b) => (a.named?.url ?? '').localeCompare(b.named?.url ?? ''),
};

/** The number of leading digits that identify a task on one node; every verb accepts them. */
const shortDigits = 12;
const fixedColumns = 60;
const minNameColumns = 20;

/** On a terminal, ids and names are shortened to its width; a script gets them complete. */
export async function listTasks(flags: ListFlags, io: CommandIo): Promise<number> {
  const order = orders[flags.sort];
  if (!order) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${flags.sort}" is not an order for --sort`, {
      hint: `Choose ${Object.keys(orders).join(', ')}.`,
    });
  }
  await using daemon = await connectDaemon(flags.endpoint, io);
  const rows = (await readRows(daemon, io.signal)).toSorted(order);
  if (flags.json) {
    for (const { task, named } of rows) io.stdout.write(`${JSON.stringify(toJson(task, named))}\n`);
    return 0;
  }
  if (rows.length === 0) {
    io.stdout.write('No tasks are stored on this node.\n');
    return 0;
  }
  const width = io.stdout.isTTY ? Math.max(minNameColumns, (io.stdout.columns ?? 80) - fixedColumns) : Infinity;
  io.stdout.write(
    textTable(rows, [
      { heading: 'TASK', cell: ({ task }) => (io.stdout.isTTY ? task.taskId.slice(0, shortDigits) : task.taskId) },
      { heading: 'SIZE', cell: ({ task }) => sizeOf(task), right: true },
      { heading: 'STATE', cell: stateText },
      { heading: 'UPLOADS', cell: ({ task }) => String(task.uploadedCount), right: true },
      { heading: 'USED', cell: ({ task }) => ago(task.updatedAt) },
      { heading: 'NAME', cell: ({ named }) => shortened(named?.url ?? '-', width) },
    ]),
  );
  return 0;
}

async function readRows({ channels, endpoint }: DaemonConnection, signal: AbortSignal): Promise<Row[]> {
  const daemon = createClient(DfdaemonDownloadDefinition, channels, endpoint.address);
  const local = createClient(DfdaemonLocalDefinition, channels, endpoint.address);
  const [{ tasks }, named] = await Promise.all([
    daemon.listLocalTasks({}, { signal }),
    local.listStoredTasks({}, { signal }).then(({ tasks: summaries }) => summaries, noneIfOriginal),
  ]);
  const byId = new Map(named.map((summary) => [summary.taskId, summary]));
  return tasks.map((task) => ({ task, named: byId.get(task.taskId) }));
}

function noneIfOriginal(error: unknown): StoredTaskSummary[] {
  if (toDragonflyError(error).code === 'UNSUPPORTED') return [];
  throw error;
}

function stateText({ task, named }: Row): string {
  const state = stateOf(task);
  if (state !== 'partial' || !named) return state;
  return task.contentLength
    ? `${Math.floor((100 * named.storedLength) / task.contentLength)} %`
    : formatBytes(named.storedLength);
}

function toJson(task: StatLocalTaskResponse, named: StoredTaskSummary | undefined): object {
  const { url, tag, application, storedLength } = named ?? {};
  return { state: stateOf(task), ...task, url, tag, application, storedLength };
}

function timeOf(date: Date | undefined): number {
  return date?.getTime() ?? 0;
}
