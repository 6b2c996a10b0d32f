/**
 * Runs jobs from the database. A replica leases a job, renews the lease while it works, and releases it when it shuts
 * down; the job of a dead replica is taken over when its lease has expired.
 */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import { jobPollMs, jobRenewalMs, jobTimeoutMs, maxJobAttempts, maxRunningJobs } from '../limits.ts';
import type { JobExecutor } from './executor.ts';
import type { Job, JobStore } from './job-store.ts';
import type { JobTasks } from './job-tasks.ts';
import type { JobType } from './job-types.ts';
import { groupResult, type ResultsByCluster } from './results.ts';

export interface JobRunnerParts {
  readonly store: JobStore;
  readonly tasks: JobTasks;
  readonly changes: ChangeFeed;
  readonly executors: Readonly<Record<JobType, JobExecutor>>;
  readonly owner: string;
  readonly logger: Logger;
}

interface RunningJob {
  readonly controller: AbortController;
  readonly done: Promise<void>;
}

/** Why a running job is interrupted, which determines what becomes of it. */
class Interruption extends Error {
  readonly fate: 'cancel' | 'hand over' | 'lost';

  constructor(fate: 'cancel' | 'hand over' | 'lost') {
    super(`job interrupted: ${fate}`);
    this.fate = fate;
  }
}

export class JobRunner implements Closable {
  readonly #parts: JobRunnerParts;
  readonly #running = new Map<number, RunningJob>();
  readonly #unsubscribe: () => void;
  #timers: NodeJS.Timeout[] = [];
  #filling: Promise<void> | undefined;
  #fillAgain = false;
  #renewing: Promise<void> | undefined;
  #closing = false;

  constructor(parts: JobRunnerParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.changes.subscribe(({ topic, entityId }) => {
      if (topic !== 'job') return;
      if (this.#running.has(entityId)) this.#renew();
      this.#fill();
    });
  }

  start(): void {
    this.#timers = [setInterval(() => this.#fill(), jobPollMs), setInterval(() => this.#renew(), jobRenewalMs)];
    for (const timer of this.#timers) timer.unref();
    this.#fill();
  }

  #fill(): void {
    if (this.#closing || this.#timers.length === 0) return;
    this.#fillAgain = true;
    this.#filling ??= this.#leaseAll().finally(() => (this.#filling = undefined));
  }

  async #leaseAll(): Promise<void> {
    const { store, owner, logger } = this.#parts;
    while (this.#fillAgain && !this.#closing) {
      this.#fillAgain = false;
      try {
        while (this.#running.size < maxRunningJobs && !this.#closing) {
          const job = await store.lease(owner);
          if (!job) break;
          this.#begin(job);
        }
      } catch (error) {
        logger.warn({ error: (error as Error).message }, 'jobs could not be leased');
      }
    }
  }

  #begin(job: Job): void {
    const controller = new AbortController();
    const done = this.#run(job, controller)
      .catch((error: unknown) => this.#parts.logger.error({ job: job.id, err: error }, 'job could not be ended'))
      .finally(() => {
        this.#running.delete(job.id);
        this.#fill();
      });
    this.#running.set(job.id, { controller, done });
    if (this.#closing) controller.abort(new Interruption('hand over'));
  }

  async #run(job: Job, controller: AbortController): Promise<void> {
    const { store, owner, logger } = this.#parts;
    const { signal } = controller;
    try {
      if (job.cancel_requested === 1) throw new Interruption('cancel');
      if (job.attempt > maxJobAttempts) {
        throw new DragonflyError('INTERNAL', `the job was begun ${maxJobAttempts} times and never came to an end`);
      }
      const { state, result } = await this.#execute(job, signal);
      await store.finish(job.id, owner, state, dressed(job, state, result as ResultsByCluster));
    } catch (cause) {
      const reason: unknown = signal.aborted ? signal.reason : cause;
      if (reason instanceof Interruption) return this.#interrupted(job, reason);
      const { message } = toDragonflyError(reason);
      logger.warn({ job: job.id, type: job.type, error: message }, 'job failed');
      await store.finish(
        job.id,
        owner,
        'FAILURE',
        groupResult(job, 'FAILURE', { results: [], error: message }, new Date()),
      );
    }
  }

  async #interrupted(job: Job, { fate }: Interruption): Promise<void> {
    const { store, owner } = this.#parts;
    if (fate === 'hand over') await store.release(job.id, owner);
    if (fate !== 'cancel') return;
    const result = groupResult(job, 'CANCELLED', { results: [], error: 'the job was cancelled' }, new Date());
    await store.finish(job.id, owner, 'CANCELLED', result);
  }

  async #execute(job: Job, signal: AbortSignal) {
    const { executors, store, tasks, logger } = this.#parts;
    const execute = executors[job.type as JobType];
    const args = store.args(job);
    const timeoutMs = typeof args['timeout'] === 'number' ? args['timeout'] / 1e6 : jobTimeoutMs;
    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(new DragonflyError('DEADLINE_EXCEEDED', `the job took longer than ${timeoutMs / 1000} s`)),
      Math.min(timeoutMs, 2 ** 31 - 1),
    );
    try {
      return await execute({
        job,
        args,
        tasks,
        logger,
        signal: AbortSignal.any([signal, deadline.signal]),
        announce: () => store.announce(job.id),
        amend: (more) => store.amendArgs(job, more),
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Also notices cancellations, and jobs that were taken over or deleted. */
  #renew(): void {
    this.#renewing ??= this.#renewAll().finally(() => (this.#renewing = undefined));
  }

  async #renewAll(): Promise<void> {
    const { store, owner, logger } = this.#parts;
    const ids = [...this.#running.keys()];
    try {
      const { held, cancelled } = await store.renew(ids, owner);
      for (const id of ids) {
        const fate = cancelled.has(id) ? 'cancel' : held.has(id) ? undefined : 'lost';
        if (fate !== undefined) this.#running.get(id)?.controller.abort(new Interruption(fate));
      }
    } catch (error) {
      logger.warn({ error: (error as Error).message }, 'leases of jobs could not be renewed');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    this.#unsubscribe();
    for (const timer of this.#timers) clearInterval(timer);
    for (const { controller } of this.#running.values()) controller.abort(new Interruption('hand over'));
    await this.#filling;
    await this.#renewing;
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }
}

/** Results with a layout of their own are stored unchanged. */
function dressed(job: Job, state: string, result: ResultsByCluster & { readonly reply?: object }): object {
  return result.reply ?? groupResult(job, state, result, new Date());
}
