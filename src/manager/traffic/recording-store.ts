/** Recorded piece movements of the last distributions, for replay. */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { Recording } from '../../../gen/scheduler/v2/live.ts';
import type { Database } from '../db/database.ts';
import { maxKeptRecordings, maxRecordingBytes } from '../limits.ts';

export class RecordingStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** An existing recording, or one that is too large, is skipped. */
  async add(distributionId: number, recording: Recording): Promise<void> {
    if ((await this.known([distributionId])).size > 0) return;
    const content = (await promisify(gzip)(Recording.encode(recording).finish())).toString('base64');
    if (content.length > maxRecordingBytes) return;
    await this.#database.db.insertInto('recording').values({ distribution_id: distributionId, content }).execute();
  }

  /** Which of the distributions have a recording. */
  async known(distributionIds: readonly number[]): Promise<ReadonlySet<number>> {
    if (distributionIds.length === 0) return new Set();
    const rows = await this.#database.db
      .selectFrom('recording')
      .select('distribution_id')
      .where('distribution_id', 'in', [...distributionIds])
      .execute();
    return new Set(rows.map(({ distribution_id: id }) => Number(id)));
  }

  async of(distributionId: number): Promise<Recording | undefined> {
    const row = await this.#database.db
      .selectFrom('recording')
      .select('content')
      .where('distribution_id', '=', distributionId)
      .executeTakeFirst();
    if (!row) return undefined;
    return Recording.decode(await promisify(gunzip)(Buffer.from(row.content, 'base64')));
  }

  async prune(): Promise<void> {
    const { db } = this.#database;
    const oldest = await db
      .selectFrom('recording')
      .select('id')
      .orderBy('id', 'desc')
      .limit(1)
      .offset(maxKeptRecordings)
      .executeTakeFirst();
    if (oldest) await db.deleteFrom('recording').where('id', '<=', oldest.id).execute();
  }
}
