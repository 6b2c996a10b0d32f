/**
 * Leases: at most one replica at a time does what is named, by the clock of the database. A holder that dies loses the
 * lease when it expires; a holder that is paused longer than that must not act on it, so work done under a lease is
 * written such that doing it twice is harmless.
 */
import type { Database } from './database.ts';
import { isUniqueViolation } from './engine.ts';

/** Takes or renews the lease. True when this owner holds it now. */
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

export async function releaseLease(database: Database, name: string, owner: string): Promise<void> {
  await database.db.deleteFrom('lease').where('name', '=', name).where('owner', '=', owner).execute();
}
