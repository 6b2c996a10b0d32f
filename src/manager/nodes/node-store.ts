/** Nodes in the database, so that a restart of a scheduler or of the manager forgets none. */
import { parseJson } from '../clusters/types.ts';
import type { Database } from '../db/database.ts';
import { nodesPerWrite } from '../limits.ts';
import { nodeWithLogSchema, type Node } from './node.ts';
import type { NodeRecord } from './node-records.ts';

export class NodeStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @param watchedUntilMs when the nodes were last watched: nodes that were online then count as online until that time. */
  async read(watchedUntilMs: number): Promise<NodeRecord[]> {
    const rows = await this.#database.db.selectFrom('node').select(['record', 'updated_at']).execute();
    return rows.flatMap(({ record, updated_at: writtenMs }) => {
      const parsed = nodeWithLogSchema.safeParse(parseJson<unknown>(record, {}));
      if (!parsed.success) return [];
      const { log, ...node } = parsed.data;
      const lastWordMs = Math.max(node.last_word_ms, node.state === 'online' ? Math.max(writtenMs, watchedUntilMs) : 0);
      return [{ node: { ...node, last_word_ms: lastWordMs }, log }];
    });
  }

  async write(records: readonly NodeRecord[]): Promise<void> {
    const now = Date.now();
    for (let start = 0; start < records.length; start += nodesPerWrite) {
      const part = records.slice(start, start + nodesPerWrite);
      await this.#database.transaction(async (db) => {
        for (const [clusterId, group] of Map.groupBy(part, ({ node }) => node.scheduler_cluster_id)) {
          const ids = group.map(({ node }) => node.id);
          await db
            .deleteFrom('node')
            .where('scheduler_cluster_id', '=', clusterId)
            .where('host_id', 'in', ids)
            .execute();
        }
        const rows = part.map(({ node, log }) => ({
          scheduler_cluster_id: node.scheduler_cluster_id,
          host_id: node.id,
          state: node.state,
          since: node.since_ms,
          record: JSON.stringify({ ...node, log }),
          created_at: now,
          updated_at: now,
        }));
        await db.insertInto('node').values(rows).execute();
      });
    }
  }

  async delete(nodes: readonly Node[]): Promise<void> {
    for (const [clusterId, group] of Map.groupBy(nodes, ({ scheduler_cluster_id: id }) => id)) {
      const ids = group.map(({ id }) => id);
      for (let start = 0; start < ids.length; start += nodesPerWrite) {
        const part = ids.slice(start, start + nodesPerWrite);
        await this.#database.db
          .deleteFrom('node')
          .where('scheduler_cluster_id', '=', clusterId)
          .where('host_id', 'in', part)
          .execute();
      }
    }
  }
}
