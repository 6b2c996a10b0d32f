/** Tells schedulers what this node holds: schedulers of this implementation get all tasks at once, schedulers of the original one task at a time. */
import { setTimeout as delay } from 'node:timers/promises';
import { toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import type { TaskHolding } from '../../../gen/scheduler/v2/scheduler.ts';
import type { SchedulerRing } from '../../rpc/scheduler-ring.ts';
import { downloadLimits } from '../../swarm/peer/download/limits.ts';
import { daemonLimits } from '../limits.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import { announceHeld } from '../task/session/announce-held.ts';
import { toHeldRegistration } from '../task/session/registration.ts';

/** What is announced: this host's current state. */
export interface AnnouncedHost {
  readonly readHost: () => Promise<Host>;
  /** The tasks that this node holds in full or in part, once everything left by an unclean stop is verified. */
  readonly holdings: () => Promise<TaskHolding[]>;
  /** Finished tasks, most recently used first. */
  readonly held: () => Promise<readonly StoredTask[]>;
}

export interface HeldNewsOptions {
  readonly ring: SchedulerRing;
  readonly hostId: string;
  readonly newPeerId: () => string;
  /** Undefined until there is something to announce. */
  readonly host: () => AnnouncedHost | undefined;
  /** True when the scheduler has accepted this host. */
  readonly knows: (address: string) => boolean;
  readonly logger: Logger;
  /** Aborts when this daemon stops. */
  readonly signal: AbortSignal;
}

export class HeldNews {
  readonly #options: HeldNewsOptions;

  constructor(options: HeldNewsOptions) {
    this.#options = options;
  }

  /** Announces one task to a scheduler of the original. Never throws. */
  async tell(task: StoredTask, address: string): Promise<void> {
    const { hostId, newPeerId, logger, ring } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, AbortSignal.timeout(daemonLimits.heldTimeoutMs)]);
    try {
      const ids = { hostId, taskId: task.id, peerId: newPeerId() };
      await announceHeld(ids, toHeldRegistration(task), (requests) =>
        ring.openPeerStream(task.id, requests, { signal, prefer: address }),
      );
    } catch (error) {
      logger.debug({ taskId: task.id, error: toDragonflyError(error).message }, 'could not tell what this node holds');
    }
  }

  /** The original takes one task per call: the most recently used first, and no more than are worth the time. */
  async tellOneByOne(address: string): Promise<void> {
    const { ring, host, knows, signal } = this.#options;
    const held = ((await host()?.held()) ?? []).filter((task) => ring.homeOf(task.id) === address);
    for (const task of held.slice(0, daemonLimits.heldToldOneByOne)) {
      if (signal.aborted || !knows(address)) return;
      await this.tell(task, address);
    }
  }

  /** Sends only the tasks that the ring assigns to this scheduler, after a short random delay so that nodes do not all come at once. */
  async tellAll(address: string): Promise<void> {
    const { ring, host, hostId, logger, signal } = this.#options;
    try {
      const holdings = ((await host()?.holdings()) ?? []).filter((holding) => ring.homeOf(holding.taskId) === address);
      for (let start = 0; start < holdings.length; start += daemonLimits.announcedTasksPerMessage) {
        if (start > 0) await delay(Math.random() * downloadLimits.sessionBackoffMs, undefined, { signal });
        const part = holdings.slice(start, start + daemonLimits.announcedTasksPerMessage);
        await ring.announceTasks(address, { hostId, holdings: part }, { signal });
      }
      if (holdings.length > 0)
        logger.info({ scheduler: address, tasks: holdings.length }, 'told the scheduler what this node holds');
    } catch (error) {
      if (signal.aborted) return;
      const record = { scheduler: address, error: toDragonflyError(error).message };
      logger.warn(record, 'could not tell the scheduler what this node holds');
    }
  }
}
