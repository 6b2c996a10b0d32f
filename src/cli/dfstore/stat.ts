/** `dfstore stat` and `dfstore rm`. */
import type { CommandIo } from '../../core/process/command.ts';
import { formatBytes, formatDurationMs } from '../../core/units.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonDownloadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import { connectDaemon } from '../daemon-connection.ts';
import { textTable } from '../dfctl/text-table.ts';
import { objectName, type StorageFlags } from './storage-flags.ts';

export interface StatFlags extends StorageFlags {
  readonly json?: boolean;
}

export interface RemoveFlags extends StorageFlags {
  readonly keepObject?: boolean;
}

export async function statObject(text: string, flags: StatFlags, io: CommandIo): Promise<number> {
  const { taskId, url } = objectName(text, flags);
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonDownloadDefinition, daemon.channels, daemon.endpoint.address);
  const { kept, ...task } = await client.statPersistentTask({ taskId }, { signal: io.signal });
  if (flags.json === true) {
    const { digest, owner, object } = kept ?? {};
    io.stdout.write(`${JSON.stringify({ ...task, url, digest, owner, store: object?.state, etag: object?.etag })}\n`);
    return 0;
  }
  const time = (date: Date | undefined): string => date?.toISOString().replace(/\.\d+Z$/, 'Z') ?? '';
  io.stdout.write(
    textTable(
      [task],
      [
        { heading: 'URL', cell: () => url },
        { heading: 'STATE', cell: (row) => row.state },
        { heading: 'STORE', cell: () => kept?.object?.state ?? '' },
        { heading: 'CONTENT LENGTH', cell: (row) => formatBytes(row.contentLength) },
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

export async function removeObject(text: string, flags: RemoveFlags, io: CommandIo): Promise<number> {
  const { url, objectStorage } = objectName(text, flags);
  await using daemon = await connectDaemon(flags.endpoint, io);
  const client = createClient(DfdaemonLocalDefinition, daemon.channels, daemon.endpoint.address);
  const request = { url, objectStorage, keepObject: flags.keepObject === true };
  await client.removePersistentTask(request, { signal: io.signal, timeoutMs: removeTimeoutMs });
  io.stdout.write(`removed ${url}\n`);
  return 0;
}

/** Long, because hosts that do not answer are waited for. */
const removeTimeoutMs = 60_000;
