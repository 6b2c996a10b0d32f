/**
 * Leases: at most one replica at a time does a named task, by the database's clock. A holder that dies loses the lease
 * when it expires. A holder that is paused longer than that may act on it nevertheless, so work under a lease must be
 * harmless when done twice.
 */
import type { Database } from './database.ts';
import { isUniqueViolation } from './engine.ts';

/** Takes or renews the lease. True when this owner now holds it. */
export async function acquireLease(database: Database, name: string, owner: string, ttlMs: number): Promise<boolean> {
  const nowMs = await database.nowMs();
  const { numUpdatedRows } = await database.db
    .updateTable('lease')
    .set({ owner, expires_at: nowMs + ttlMs })
    .where('name', '=', name)
    .where((e) => e.or([e('owner', '=', owner), e('expires_at', '<=', nowMs)]))
    .executeTakeFirst();
  if (numUpdatedRows > 0n) return true;
  try {
    await database.db
      .insertInto('lease')
      .values({ name, owner, expires_at: nowMs + ttlMs })
      .execute();
    return true;
  } catch (error) {
    if (isUniqueViolation(error)) return false;
    throw error;
  }
}

/** When the lease is free at the latest, by the clock of the database; now where nobody holds it. */
export async function leaseFreeAtMs(database: Database, name: string): Promise<number> {
  const lease = await database.db.selectFrom('lease').select('expires_at').where('name', '=', name).executeTakeFirst();
  return lease?.expires_at ?? database.nowMs();
}

export async function releaseLease(database: Database, name: string, owner: string): Promise<void> {
  await database.db.deleteFrom('lease').where('name', '=', name).where('owner', '=', owner).execute();
}
