/** Past traffic in the database: minutes of a day, hours of a month, days of a year, for each cluster. */
import type { Database } from '../db/database.ts';
import { trafficKeptMs } from '../limits.ts';

export const trafficSpans = ['minute', 'hour', 'day'] as const;
export type TrafficSpan = (typeof trafficSpans)[number];

export const spanMs: Readonly<Record<TrafficSpan, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

export interface Traffic {
  readonly originBytes: number;
  readonly peerBytes: number;
  /** That were finished. */
  readonly downloads: number;
}

export interface TrafficGrowth extends Traffic {
  readonly clusterId: number;
  readonly atMs: number;
}

export interface TrafficRow extends Traffic {
  readonly clusterId: number;
  /** Beginning of the minute, hour or day (UTC). */
  readonly atMs: number;
}

export interface TrafficRange {
  readonly span: TrafficSpan;
  readonly fromMs: number;
  readonly toMs: number;
  /** Undefined for all clusters, each listed separately. */
  readonly clusterId: number | undefined;
}

export class TrafficStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds to the stored sums. Two replicas must not call it at the same time: both could insert the first row of a span. */
  async add(growth: readonly TrafficGrowth[]): Promise<void> {
    const sums = new Map<string, TrafficGrowth & { readonly span: TrafficSpan }>();
    for (const grown of growth) {
      for (const span of trafficSpans) {
        const atMs = Math.floor(grown.atMs / spanMs[span]) * spanMs[span];
        const key = `${grown.clusterId} ${span} ${atMs}`;
        const sum = sums.get(key);
        sums.set(key, {
          span,
          clusterId: grown.clusterId,
          atMs,
          originBytes: (sum?.originBytes ?? 0) + grown.originBytes,
          peerBytes: (sum?.peerBytes ?? 0) + grown.peerBytes,
          downloads: (sum?.downloads ?? 0) + grown.downloads,
        });
      }
    }
    if (sums.size === 0) return;
    await this.#database.transaction(async (db) => {
      for (const { clusterId, span, atMs, originBytes, peerBytes, downloads } of sums.values()) {
        const { numUpdatedRows } = await db
          .updateTable('traffic')
          .set((e) => ({
            origin_bytes: e('origin_bytes', '+', originBytes),
            peer_bytes: e('peer_bytes', '+', peerBytes),
            downloads: e('downloads', '+', downloads),
          }))
          .where('scheduler_cluster_id', '=', clusterId)
          .where('span', '=', span)
          .where('at', '=', atMs)
          .executeTakeFirst();
        if (numUpdatedRows > 0n) continue;
        await db
          .insertInto('traffic')
          .values({
            scheduler_cluster_id: clusterId,
            span,
            at: atMs,
            origin_bytes: originBytes,
            peer_bytes: peerBytes,
            downloads,
          })
          .execute();
      }
    });
  }

  /** Non-empty steps, oldest first. */
  async read({ span, fromMs, toMs, clusterId }: TrafficRange): Promise<TrafficRow[]> {
    let query = this.#database.db
      .selectFrom('traffic')
      .selectAll()
      .where('span', '=', span)
      .where('at', '>=', Math.floor(fromMs / spanMs[span]) * spanMs[span])
      .where('at', '<', toMs);
    if (clusterId !== undefined) query = query.where('scheduler_cluster_id', '=', clusterId);
    const rows = await query.orderBy('at').orderBy('scheduler_cluster_id').execute();
    return rows.map((row) => ({
      clusterId: row.scheduler_cluster_id,
      atMs: row.at,
      originBytes: row.origin_bytes,
      peerBytes: row.peer_bytes,
      downloads: row.downloads,
    }));
  }

  async prune(nowMs: number): Promise<void> {
    for (const span of trafficSpans) {
      await this.#database.db
        .deleteFrom('traffic')
        .where('span', '=', span)
        .where('at', '<', nowMs - trafficKeptMs[span])
        .execute();
    }
  }
}
