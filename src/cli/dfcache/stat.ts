/** `dfcache stat` and `dfcache rm`. */
import type { CommandIo } from '../../core/process/command.ts';
import { formatBytes, formatDurationMs } from '../../core/units.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import { connectDaemon } from '../daemon-connection.ts';
import { textTable } from '../dfctl/text-table.ts';
import { requireTaskId, type CommonFlags } from './flags.ts';

export interface StatFlags extends CommonFlags {
  readonly json?: boolean;
}

export async function statTask(id: string, flags: StatFlags, io: CommandIo): Promise<number> {
  const taskId = requireTaskId(id);
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonDownloadDefinition, daemon.channels, daemon.endpoint.address);
  const { kept, ...task } = await client.statPersistentCacheTask({ taskId }, { signal: io.signal });
  if (flags.json === true) {
    const { digest, owner } = kept ?? {};
    io.stdout.write(`${JSON.stringify({ ...task, digest, owner })}\n`);
    return 0;
  }
  const time = (date: Date | undefined): string => date?.toISOString().replace(/\.\d+Z$/, 'Z') ?? '';
  io.stdout.write(
    textTable(
      [task],
      [
        { heading: 'ID', cell: (row) => row.id },
        { heading: 'STATE', cell: (row) => row.state },
        { heading: 'CONTENT LENGTH', cell: (row) => formatBytes(row.contentLength) },
        { heading: 'PIECE LENGTH', cell: (row) => formatBytes(row.pieceLength) },
        {
          heading: 'PERSISTENT REPLICA COUNT',
          cell: (row) => `${row.currentPersistentReplicaCount}/${row.persistentReplicaCount}`,
        },
        { heading: 'REPLICAS', cell: (row) => String(row.currentReplicaCount) },
        { heading: 'TTL', cell: (row) => formatDurationMs((row.ttl?.seconds ?? 0) * 1000) },
        { heading: 'CREATED', cell: (row) => time(row.createdAt) },
        { heading: 'UPDATED', cell: (row) => time(row.updatedAt) },
      ],
    ),
  );
  return 0;
}

export async function removeTask(id: string, flags: StatFlags, io: CommandIo): Promise<number> {
  const taskId = requireTaskId(id);
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonLocalDefinition, daemon.channels, daemon.endpoint.address);
  await client.removeKeptTask({ taskId }, { signal: io.signal, timeoutMs: removeTimeoutMs });
  io.stdout.write(`removed ${taskId}\n`);
  return 0;
}

/** Long, because hosts that do not answer are waited for. */
const removeTimeoutMs = 60_000;
