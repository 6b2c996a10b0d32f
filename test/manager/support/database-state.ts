/** What users have put into the database, short enough to compare. */
import { sql } from 'kysely';
import type { ManagerService } from '../../../src/manager/manager-service.ts';

/** Counts and last changes; the trail of requests is left out. */
export async function stateOf(manager: ManagerService): Promise<string> {
  const tables = [
    'user',
    'casbin_rule',
    'oauth',
    'scheduler_cluster',
    'seed_peer_cluster',
    'scheduler',
    'seed_peer',
    'peer',
    'application',
    'config',
    'job',
    'join_token',
    'personal_access_token',
  ];
  const counts: Record<string, unknown> = {};
  for (const table of tables) {
    const { rows } = await sql`select count(*) as count, max(updated_at) as changed from ${sql.table(table)}`
      .execute(manager.database.db)
      .catch(() => sql`select count(*) as count from ${sql.table(table)}`.execute(manager.database.db));
    counts[table] = rows[0];
  }
  return JSON.stringify(counts);
}
