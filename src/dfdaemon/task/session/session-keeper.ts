/** Keeps a session with the scheduler open while a download runs: a lost one is opened again, a refusal is final. */
import { setTimeout as delay } from 'node:timers/promises';
import type { DragonflyError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/process/logger.ts';
import { daemonLimits } from '../../limits.ts';
import { SchedulerLife } from './scheduler-life.ts';
import { SchedulerSession, type SessionEvents } from './scheduler-session.ts';

export interface SessionKeeperOptions {
  readonly ids: { readonly hostId: string; readonly taskId: string; readonly peerId: string };
  /** A scheduler of the original takes each peer id for one registration. */
  readonly newPeerId: () => string;
  /** Registers and reads answers until the stream ends. */
  readonly run: (session: SchedulerSession, life: SchedulerLife) => Promise<void>;
  readonly events: Omit<SessionEvents, 'closed'> & {
    /** The connection is lost; reconnecting while attempts are left. */
    lost(): void;
    /** The scheduler has answered, and will not change its mind. */
    refused(error: DragonflyError): void;
  };
  /** Calls back when a scheduler has taken this host anew; the result ends that. */
  readonly onTaken: (listener: () => void) => () => void;
  readonly logger: Logger;
  /** Aborts when the download ends. */
  readonly signal: AbortSignal;
}

export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  readonly #life: SchedulerLife;
  #session: SchedulerSession | undefined;
  #peerId: string;
  #attempts = 0;
  #closed = false;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
    this.#life = new SchedulerLife(options.signal);
    this.#peerId = options.ids.peerId;
  }

  /** Undefined between two sessions. */
  get session(): SchedulerSession | undefined {
    return this.#session;
  }

  open(): void {
    const { run, events, logger } = this.#options;
    const ids = { ...this.#options.ids, peerId: this.#peerId };
    const session: SchedulerSession = new SchedulerSession(
      ids,
      {
        ...events,
        parents: (parents, options) => {
          this.#attempts = 0;
          events.parents(parents, options);
        },
        closed: (error) => this.#lost(session, error),
      },
      logger,
    );
    this.#session = session;
    void run(session, this.#life);
  }

  /** Whether the download has nothing to do but to wait for the scheduler. */
  waiting(isWaiting: boolean): void {
    this.#life.waiting(isWaiting);
  }

  /** Says how it ended, and leaves it to the scheduler to hang up. */
  leave(description: string): void {
    this.#closed = true;
    this.#session?.failed(description);
    this.#session = undefined;
  }

  #lost(session: SchedulerSession, error: DragonflyError | undefined): void {
    if (this.#session !== session || this.#options.signal.aborted) return;
    this.#session = undefined;
    // What the original refuses, for instance since it has forgotten this host, is no word about the content.
    const known = session.extended || error?.code === 'UNAUTHENTICATED';
    if (error && known && isRefusal(error)) return this.#options.events.refused(error);
    if (!session.extended) this.#peerId = this.#options.newPeerId();
    this.#attempts += 1;
    if (this.#attempts <= daemonLimits.sessionAttempts) void this.#reopen();
    this.#options.events.lost();
  }

  async #reopen(): Promise<void> {
    const { sessionBackoffMs, sessionBackoffMaxMs } = daemonLimits;
    const pauseMs = Math.min(sessionBackoffMs * 2 ** (this.#attempts - 1), sessionBackoffMaxMs);
    const taken = new AbortController();
    const stop = this.#options.onTaken(() => taken.abort());
    const ended = this.#options.signal;
    const signal = AbortSignal.any([ended, taken.signal]);
    await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    stop();
    if (!ended.aborted && !this.#closed && !this.#session) this.open();
  }
}

/** Carries what the origin said, or what only the caller can change; anything else may be better at the next try. */
function isRefusal(error: DragonflyError): boolean {
  const passing = ['UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'INTERNAL', 'HOST_UNKNOWN'];
  return error.details?.statusCode !== undefined || !passing.includes(error.code);
}
