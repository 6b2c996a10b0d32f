/** What became of copies, as the database has it: proven, or waiting for another try. */
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Database } from '../db/database.ts';
import type { JobStore } from '../jobs/job-store.ts';
import type { JobTasks } from '../jobs/job-tasks.ts';
import { replicationLeaseMs } from '../limits.ts';
import type { CopyRow, CopyStore } from './copy-store.ts';
import { outcomeOf, type CopyOutcome } from './outcome.ts';
import type { PushEnd } from './pushes.ts';
import { RegistryPause } from './registry-pause.ts';
import { targetId } from './rule-row.ts';
import { restMs } from './schedule.ts';
import { ManifestGone } from './tag-push.ts';

export interface CopyResultsParts {
  readonly database: Database;
  readonly copies: CopyStore;
  readonly jobs: JobStore;
  readonly jobTasks: JobTasks;
  readonly logger: Logger;
}

export class CopyResults {
  readonly #parts: CopyResultsParts;

  constructor(parts: CopyResultsParts) {
    this.#parts = parts;
  }

  /** Ends those whose preheat has ended, and those that nobody carries any more. @param isCarried by this process */
  async collect(running: readonly CopyRow[], isCarried: (copy: CopyRow) => boolean): Promise<void> {
    const { database, copies, jobs, jobTasks } = this.#parts;
    for (const copy of running) {
      const now = await database.nowMs();
      // Between the mark and its job a manager may have died, and while it carried a tag itself.
      if (copy.job_id === 0 && (isCarried(copy) || now - copy.started_at < replicationLeaseMs)) continue;
      if (copy.cluster_id === targetId) await copies.change(copy, { state: 'waiting' });
      else await this.#settle(copy, await outcomeOf(copy, { jobs, jobTasks }));
    }
  }

  /** Never rejects. */
  async pushed({ rule, copy, outcome, error }: PushEnd): Promise<void> {
    const { database, copies, logger } = this.#parts;
    try {
      // What was stopped is not a failure: whoever goes on finds there what has arrived.
      if (outcome) await this.#settle(copy, outcome, error instanceof RegistryPause ? error.retryAfterMs : 0);
      else await copies.change(copy, { state: 'waiting' });
      if (error instanceof ManifestGone) await copies.lookAgain(copy.tag_id, await database.nowMs());
    } catch (cause) {
      logger.warn({ rule: rule.name, error: toDragonflyError(cause).message }, 'what became of a push is not written');
    }
  }

  /** @param pausedMs what a registry has asked for, where that is what went wrong. */
  async #settle(copy: CopyRow, outcome: CopyOutcome | undefined, pausedMs = 0): Promise<void> {
    if (!outcome) return;
    const { database, copies } = this.#parts;
    const now = await database.nowMs();
    const { digest, bytes, proven, error } = outcome;
    if (error !== undefined) {
      const attempt = copy.attempt + 1;
      const retryAt = now + Math.max(pausedMs, restMs(attempt));
      // A registry that asks for patience asks all of the rule's tags for it.
      if (pausedMs > 0) await copies.pause(copy, retryAt);
      await copies.change(copy, { state: 'waiting', attempt, retry_at: retryAt, ended_at: now, bytes, error });
      return;
    }
    const done = {
      attempt: 0,
      retry_at: 0,
      error: '',
      digest,
      bytes,
      ended_at: now,
      ...(proven && { proven_at: now }),
    };
    const wanted = await copies.tag(copy.tag_id);
    if (wanted?.digest === digest) {
      await copies.change(copy, { ...done, state: proven ? 'proven' : 'copied' });
      return;
    }
    // The tag moved meanwhile: the source is asked before the cluster is.
    const retryAt = now + restMs(1);
    await copies.lookAgain(copy.tag_id, retryAt);
    await copies.change(copy, { ...done, state: 'waiting', retry_at: retryAt });
  }
}
