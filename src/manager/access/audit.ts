/** The audit trail of writes: who did what, and whether it worked. */
import { LRUCache } from 'lru-cache';
import type { Logger } from '../../core/process/logger.ts';
import type { Database } from '../db/database.ts';
import { auditedStrangerMs, maxAuditedOfStranger, maxAuditedOfStrangers, maxAuditedStrangers } from '../limits.ts';

export interface AuditRecord {
  readonly actorType: 'UNKNOWN' | 'USER' | 'PAT';
  readonly actorName: string;
  readonly operation: string;
  readonly path: string;
  readonly statusCode: number;
  /** The caller's. Of what strangers fail to do only so much is recorded for each. */
  readonly address: string;
}

/** Records about strangers who were refused. */
class StrangersBudget {
  readonly #left = new LRUCache<string, { count: number }>({ max: maxAuditedStrangers, ttl: auditedStrangerMs });
  #all = { count: 0, sinceMs: performance.now() };

  /** `last`: nothing more of this address is recorded for a while. */
  take(address: string): 'yes' | 'last' | 'no' {
    const nowMs = performance.now();
    if (nowMs - this.#all.sinceMs > auditedStrangerMs) this.#all = { count: 0, sinceMs: nowMs };
    const own = this.#left.get(address) ?? { count: 0 };
    if (own.count === 0) this.#left.set(address, own);
    if (own.count >= maxAuditedOfStranger || this.#all.count >= maxAuditedOfStrangers) return 'no';
    own.count += 1;
    this.#all.count += 1;
    return own.count === maxAuditedOfStranger ? 'last' : 'yes';
  }
}

export class AuditLog {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #strangers = new StrangersBudget();

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  /** Resolves when the record is stored. A record that cannot be stored goes to the log, since the write itself is done. */
  async record(record: AuditRecord): Promise<void> {
    if (record.actorType === 'UNKNOWN' && record.statusCode >= 300) {
      const { address } = record;
      const room = this.#strangers.take(address);
      if (room === 'no') return;
      if (room === 'last') this.#logger.warn({ address }, 'refused so often that no more of it is recorded for now');
    }
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
