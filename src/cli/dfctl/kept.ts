/** `dfctl persistent-cache-task ls|rm` and `dfctl persistent-task ls`: imported content on this node. */
import type { Command as Parser } from 'commander';
import type { CommandIo } from '../../core/process/command.ts';
import { formatBytes, formatDurationMs } from '../../core/units.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import { connectDaemon } from '../daemon-connection.ts';
import { requireTaskId } from '../dfcache/flags.ts';
import { ago, type Flags } from './task.ts';
import { textTable } from './text-table.ts';

/** Long, because hosts that do not answer are waited for. */
const removeTimeoutMs = 60_000;

export function defineKept(parser: Parser, io: CommandIo, choose: (work: () => Promise<number>) => void): void {
  const kept = parser.command('persistent-cache-task').description('content that was imported, held by this node');
  const stored = parser
    .command('persistent-task')
    .description('content that was imported and belongs to an object of a store, held by this node');
  const onDaemon = (spec: string, text: string, of = kept): Parser =>
    of
      .command(spec)
      .description(text)
      .option('-e, --endpoint <path>', 'unix socket of the dfdaemon [DFGET_ENDPOINT]')
      .option('--json', 'JSON, one object per line');
  onDaemon('ls', 'lists what this node holds of it').action((flags: Flags) => choose(() => list(flags, io)));
  onDaemon('rm <id>', 'deletes it from all nodes, as "dfcache rm"').action((id: string, flags: Flags) =>
    choose(() => remove(id, flags, io)),
  );
  onDaemon('ls', 'lists what this node holds of it, and whether the store has it', stored).action((flags: Flags) =>
    choose(() => listStored(flags, io)),
  );
}

async function list(flags: Flags, io: CommandIo): Promise<number> {
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonDownloadDefinition, daemon.channels, daemon.endpoint.address);
  const { tasks } = await client.listLocalPersistentCacheTasks({}, { signal: io.signal });
  if (flags.json) {
    for (const task of tasks) io.stdout.write(`${JSON.stringify(task)}\n`);
    return 0;
  }
  if (tasks.length === 0) {
    io.stdout.write('This node holds no imported content.\n');
    return 0;
  }
  io.stdout.write(
    textTable(tasks, [
      { heading: 'TASK', cell: ({ taskId }) => taskId },
      { heading: 'SIZE', cell: ({ contentLength }) => formatBytes(contentLength ?? 0), right: true },
      { heading: 'STATE', cell: ({ finishedAt }) => (finishedAt ? 'whole' : 'in part') },
      { heading: 'STAYS', cell: ({ persistent }) => (persistent ? 'yes' : 'no') },
      { heading: 'TTL', cell: ({ ttl }) => formatDurationMs((ttl?.seconds ?? 0) * 1000), right: true },
      { heading: 'UPLOADS', cell: ({ uploadedCount }) => String(uploadedCount), right: true },
      { heading: 'CREATED', cell: ({ createdAt }) => ago(createdAt) },
    ]),
  );
  return 0;
}

async function listStored(flags: Flags, io: CommandIo): Promise<number> {
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonDownloadDefinition, daemon.channels, daemon.endpoint.address);
  const { tasks } = await client.listLocalPersistentTasks({}, { signal: io.signal });
  if (flags.json) {
    for (const task of tasks) io.stdout.write(`${JSON.stringify(task)}\n`);
    return 0;
  }
  if (tasks.length === 0) {
    io.stdout.write('This node holds no content of stores.\n');
    return 0;
  }
  io.stdout.write(
    textTable(tasks, [
      { heading: 'URL', cell: ({ kept, taskId }) => kept?.object?.url ?? taskId },
      { heading: 'SIZE', cell: ({ contentLength }) => formatBytes(contentLength ?? 0), right: true },
      { heading: 'STATE', cell: ({ finishedAt }) => (finishedAt ? 'whole' : 'in part') },
      { heading: 'STORE', cell: ({ kept }) => kept?.object?.state ?? '' },
      { heading: 'STAYS', cell: ({ persistent }) => (persistent ? 'yes' : 'no') },
      { heading: 'TTL', cell: ({ ttl }) => formatDurationMs((ttl?.seconds ?? 0) * 1000), right: true },
      { heading: 'CREATED', cell: ({ createdAt }) => ago(createdAt) },
      { heading: 'WHY NOT STORED', cell: ({ uploadFailure }) => uploadFailure },
    ]),
  );
  return 0;
}

async function remove(id: string, flags: Flags, io: CommandIo): Promise<number> {
  const taskId = requireTaskId(id);
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonLocalDefinition, daemon.channels, daemon.endpoint.address);
  await client.removeKeptTask({ taskId }, { signal: io.signal, timeoutMs: removeTimeoutMs });
  io.stdout.write(flags.json ? `${JSON.stringify({ taskId, removed: true })}\n` : `removed ${taskId}\n`);
  return 0;
}
