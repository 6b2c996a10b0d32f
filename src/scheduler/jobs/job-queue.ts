/**
 * Serves the jobs that a manager of the original puts into a Redis list for this scheduler, and writes their progress
 * there. Jobs that are running when this scheduler stops go back to the head of the list, for its successor.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { toDragonflyError } from '../../core/errors.ts';
import { onAbort, type Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import {
  jobResultTtlSeconds,
  maxJobLength,
  maxQueuedJobs,
  queueWaitSeconds,
  redisConnectTimeoutMs,
} from '../limits.ts';
import { jobState, parseQueuedJob, type JobProgress, type QueuedJob } from './machinery.ts';
import type { RedisConnection } from './redis-connection.ts';

/** Resolves with the result that the manager reads, which is converted to JSON. Rejects when the job failed. */
export type JobHandler = (request: string, signal: AbortSignal) => Promise<unknown>;

export type JobDatabase = 'queues' | 'results';

export interface JobQueueOptions {
  readonly connect: (database: JobDatabase, signal: AbortSignal) => Promise<RedisConnection>;
  readonly handlers: Readonly<Record<string, JobHandler>>;
  readonly logger: Logger;
}

export class JobQueue implements Closable {
  readonly #options: JobQueueOptions;
  readonly #controller = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #unfinished: string[] = [];
  #work: Promise<void> | undefined;

  constructor(options: JobQueueOptions) {
    this.#options = options;
  }

  /** Call once. `onServing` is called when Redis has answered; before that nobody should queue a job. */
  start(list: string, onServing: () => void): void {
    this.#work ??= this.#serve(list, onServing).catch((error: unknown) => {
      if (this.#controller.signal.aborted) return;
      this.#options.logger.error({ reason: toDragonflyError(error).message }, 'jobs of the manager are not served');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#work;
  }

  async #serve(list: string, onServing: () => void): Promise<void> {
    const { connect, logger } = this.#options;
    const { signal } = this.#controller;
    await using results = await connect('results', signal);
    await this.#takeAll(list, results, () => {
      logger.info({ list }, 'jobs of the manager are taken from Redis');
      onServing();
    });
    await Promise.all(this.#running);
    if (this.#unfinished.length === 0) return;
    await using queues = await connect('queues', AbortSignal.timeout(redisConnectTimeoutMs));
    for (const message of this.#unfinished) await queues.putBack(list, message);
  }

  /** Runs until closed. Closing ends the connection at once, and with it the wait for the next job. */
  async #takeAll(list: string, results: RedisConnection, onServing: () => void): Promise<void> {
    const { signal } = this.#controller;
    const queues = await this.#options.connect('queues', signal);
    using _closing = onAbort(signal, () => void queues[Symbol.asyncDispose]());
    onServing();
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (this.#running.size >= maxQueuedJobs) await Promise.race(this.#running);
        const message = await queues.pop(list, queueWaitSeconds);
        failures = 0;
        if (message !== undefined) this.#begin(message, results);
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        this.#options.logger.warn({ list, reason: toDragonflyError(error).message }, 'no job could be taken');
        await delay(backOffMs(failures), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #begin(message: string, results: RedisConnection): void {
    const { logger } = this.#options;
    const job = message.length > maxJobLength ? undefined : parseQueuedJob(message);
    if (!job) return logger.warn({ length: message.length }, 'what stood in the list of jobs is none');
    const work = this.#run(job, message, results).catch((error: unknown) =>
      logger.warn({ job: job.id, reason: toDragonflyError(error).message }, 'the state of a job could not be written'),
    );
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  async #run(job: QueuedJob, message: string, results: RedisConnection): Promise<void> {
    const { logger, handlers } = this.#options;
    const { signal } = this.#controller;
    const write = async (progress: JobProgress): Promise<void> =>
      results.set(job.id, jobState(job, progress, await results.get(job.id)), jobResultTtlSeconds);
    try {
      await write({ state: 'STARTED' });
      const handler = Object.hasOwn(handlers, job.name) ? handlers[job.name] : undefined;
      if (!handler) throw new Error(`this scheduler knows no job ${job.name}`);
      await write({ state: 'SUCCESS', result: await handler(job.request, signal) });
      logger.info({ job: job.id, name: job.name }, 'a job of the manager is done');
    } catch (error) {
      if (signal.aborted) return void this.#unfinished.push(message);
      const { message: reason } = toDragonflyError(error);
      logger.warn({ job: job.id, name: job.name, reason }, 'a job of the manager failed');
      await write({ state: 'FAILURE', error: reason });
    }
  }
}
