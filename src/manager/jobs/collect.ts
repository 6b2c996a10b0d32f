/** Deletes expired jobs and audit records. */
import { DragonflyError } from '../../core/errors.ts';
import { parseJson } from '../clusters/types.ts';
import type { Database } from '../db/database.ts';
import { auditRetentionMs, jobRetentionMs } from '../limits.ts';
import type { JobExecutor } from './executor.ts';
import type { JobStore } from './job-store.ts';
import { collectArgs, type CollectArgs } from './job-types.ts';

export interface CollectParts {
  readonly database: Database;
  readonly store: JobStore;
}

/** Rows per deletion, so that others can use the table in between. */
const batchRows = 500;

export function collectJob(parts: CollectParts): JobExecutor {
  return async ({ args, signal, job }) => {
    const { type } = collectArgs.parse(args);
    const purged = await collect(parts, type, signal, job.id);
    return { state: 'SUCCESS', result: { results: [], error: '', reply: { purged } } };
  };
}

/** @returns the number of deleted rows. */
export async function collect(
  parts: CollectParts,
  type: CollectArgs['type'],
  signal: AbortSignal,
  exceptJobId = 0,
): Promise<number> {
  const { database, store } = parts;
  const before = (await database.nowMs()) - (await retentionMs(database, type));
  let purged = 0;
  for (;;) {
    signal.throwIfAborted();
    const ids = type === 'job' ? await oldJobs(database, before, exceptJobId) : await oldAudits(database, before);
    if (ids.length === 0) return purged;
    if (type === 'job') await store.deleteAll(ids);
    else await database.db.deleteFrom('audit').where('id', 'in', ids).execute();
    purged += ids.length;
  }
}

/** Running jobs are kept, however old they are. */
async function oldJobs({ db }: Database, before: number, exceptId: number): Promise<number[]> {
  const rows = await db
    .selectFrom('job')
    .select('id')
    .where('created_at', '<', before)
    .where('state', '!=', 'PENDING')
    .where('id', '!=', exceptId)
    .limit(batchRows)
    .execute();
  return rows.map(({ id }) => id);
}

async function oldAudits({ db }: Database, before: number): Promise<number[]> {
  const rows = await db.selectFrom('audit').select('id').where('created_at', '<', before).limit(batchRows).execute();
  return rows.map(({ id }) => id);
}

const settingsName = 'gc';

/** Creates the row with the retention times that the original's consoles show and change, unless it exists. */
export async function createCollectSettings(database: Database): Promise<void> {
  const known = await database.db.selectFrom('config').select('id').where('name', '=', settingsName).executeTakeFirst();
  if (known) return;
  const value = JSON.stringify({ audit: { ttl: auditRetentionMs * 1e6 }, job: { ttl: jobRetentionMs * 1e6 } });
  const now = await database.nowMs();
  try {
    await database.insert('config', {
      name: settingsName,
      value,
      bio: '',
      user_id: 0,
      created_at: now,
      updated_at: now,
    });
  } catch (error) {
    // Another replica was first.
    if (!(error instanceof DragonflyError && error.code === 'ALREADY_EXISTS')) throw error;
  }
}

/** What a run would delete now: rows older than `ttl` (nanoseconds), in batches of this size. */
export async function collectBounds(
  database: Database,
  type: CollectArgs['type'],
): Promise<{ readonly ttl: number; readonly batch_size: number }> {
  return { ttl: (await retentionMs(database, type)) * 1e6, batch_size: batchRows };
}

/** The configuration row holds `{"audit":{"ttl":ns},"job":{"ttl":ns}}`. */
async function retentionMs({ db }: Database, type: CollectArgs['type']): Promise<number> {
  const row = await db.selectFrom('config').select('value').where('name', '=', settingsName).executeTakeFirst();
  const settings = parseJson<Partial<Record<string, { ttl?: unknown }>>>(row?.value ?? null, {});
  const ttl = settings[type]?.ttl;
  if (typeof ttl === 'number' && ttl > 0) return ttl / 1e6;
  return type === 'job' ? jobRetentionMs : auditRetentionMs;
}
