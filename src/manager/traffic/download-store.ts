/** The last downloads of each node: what it got, from whom, how long it took, and whether it completed. */
import type { EndedDownload } from '../../../gen/scheduler/v2/live.ts';
import { parseJson } from '../clusters/types.ts';
import type { Database } from '../db/database.ts';
import type { NodeDownloadTable } from '../db/history-schema.ts';
import type { Page } from '../db/table-store.ts';
import { distributionsPerStatement, downloadKeptMs, maxKeptDownloads } from '../limits.ts';

export interface NodeDownload extends Omit<NodeDownloadTable, 'id' | 'sources'> {
  readonly sources: readonly { readonly host_name: string; readonly pieces: number }[];
}

export class DownloadStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Known ones are skipped. A scheduler reports them in the order of their numbers. */
  async add(clusterId: number, scheduler: string, ended: readonly EndedDownload[]): Promise<void> {
    const { db } = this.#database;
    const { last } = await db
      .selectFrom('node_download')
      .select((e) => e.fn.max('number').as('last'))
      .where('scheduler', '=', scheduler)
      .executeTakeFirstOrThrow();
    const rows = ended
      .filter(({ number }) => number > Number(last ?? 0))
      .map((download) => toRow(clusterId, scheduler, download));
    for (let start = 0; start < rows.length; start += distributionsPerStatement) {
      const part = rows.slice(start, start + distributionsPerStatement);
      await db.insertInto('node_download').values(part).execute();
    }
  }

  /** Newest first. */
  async list(
    hostId: string,
    clusterId: number | undefined,
    { page, perPage }: Page,
  ): Promise<{ readonly rows: NodeDownload[]; readonly total: number }> {
    const found = () => {
      const ofHost = this.#database.db.selectFrom('node_download').where('host_id', '=', hostId);
      return clusterId === undefined ? ofHost : ofHost.where('scheduler_cluster_id', '=', clusterId);
    };
    const [rows, counted] = await Promise.all([
      found()
        .selectAll()
        .orderBy('ended_at', 'desc')
        .orderBy('id', 'desc')
        .limit(perPage)
        .offset((page - 1) * perPage)
        .execute(),
      found()
        .select((e) => e.fn.countAll().as('count'))
        .executeTakeFirstOrThrow(),
    ]);
    return {
      rows: rows.map(({ id: _id, ...row }) => ({ ...row, sources: parseJson(row.sources, []) })),
      total: Number(counted.count),
    };
  }

  async prune(nowMs: number): Promise<void> {
    const { db } = this.#database;
    await db
      .deleteFrom('node_download')
      .where('ended_at', '<', nowMs - downloadKeptMs)
      .execute();
    const oldest = await db
      .selectFrom('node_download')
      .select('id')
      .orderBy('id', 'desc')
      .limit(1)
      .offset(maxKeptDownloads)
      .executeTakeFirst();
    if (oldest) await db.deleteFrom('node_download').where('id', '<=', oldest.id).execute();
  }
}

function toRow(clusterId: number, scheduler: string, ended: EndedDownload): Omit<NodeDownloadTable, 'id'> {
  return {
    scheduler_cluster_id: clusterId,
    scheduler: scheduler.slice(0, 64),
    number: ended.number,
    host_id: ended.hostId.slice(0, 512),
    task_id: ended.taskId.slice(0, 64),
    url: ended.url.slice(0, 2048),
    tag: ended.tag.slice(0, 255),
    application: ended.application.slice(0, 255),
    content_length: ended.contentLength,
    started_at: ended.startedAtMs,
    ended_at: ended.endedAtMs,
    succeeded: ended.succeeded ? 1 : 0,
    origin_bytes: ended.originBytes,
    peer_bytes: ended.peerBytes,
    sources: JSON.stringify(ended.sources.map(({ hostName, pieces }) => ({ host_name: hostName, pieces }))),
  };
}
