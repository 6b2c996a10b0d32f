/** The audit trail of writes: who did what, and whether it worked. */
import type { Logger } from '../../core/process/logger.ts';
import type { Database } from '../db/database.ts';

export interface AuditRecord {
  readonly actorType: 'UNKNOWN' | 'USER' | 'PAT';
  readonly actorName: string;
  readonly operation: string;
  readonly path: string;
  readonly statusCode: number;
}

export class AuditLog {
  readonly #database: Database;
  readonly #logger: Logger;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  /** Resolves when the record is stored. A record that cannot be stored goes to the log, since the write itself is done. */
  async record(record: AuditRecord): Promise<void> {
    try {
      const now = await this.#database.nowMs();
      await this.#database.insert('audit', {
        actor_type: record.actorType,
        actor_name: record.actorName.slice(0, 255),
        event_type: 'API',
        operation: record.operation,
        operated_at: now,
        state: record.statusCode < 300 ? 'SUCCESS' : 'FAILURE',
        path: record.path.slice(0, 1024),
        status_code: record.statusCode,
        detail: '{}',
        created_at: now,
        updated_at: now,
      });
    } catch (error) {
      this.#logger.error({ ...record, error: (error as Error).message }, 'audit record could not be stored');
    }
  }
}
