import type { AgeClock } from './age-clock.ts';
import type { Metadata } from './metadata.ts';
import type { StoredTask } from './stored-task.ts';

/** What a task needs of the store it lives in. */
export interface TaskHost {
  readonly metadata: Metadata;
  readonly clock: AgeClock;
  /** The disk is full: frees so many bytes of others; false when it cannot. */
  relieve(bytes: number): Promise<boolean>;
  /** The number of committed bytes changed by this much. */
  bytesChanged(delta: number): void;
  used(task: StoredTask): void;
  /** The task got its first pin, or its last one was released. */
  inUse(task: StoredTask, inUse: boolean): void;
  finished(task: StoredTask): void;
  /** The content may have been changed by others: take it out of use and verify it. */
  suspect(task: StoredTask): void;
}
