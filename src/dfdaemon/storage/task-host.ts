import type { AgeClock } from './age-clock.ts';
import type { Metadata } from './metadata.ts';
import type { StoredTask } from './stored-task.ts';

/** What a task needs of its store. */
export interface TaskHost {
  readonly metadata: Metadata;
  readonly clock: AgeClock;
  /** Called when the disk is full: frees this many bytes of other tasks; false when it cannot. */
  relieve(bytes: number): Promise<boolean>;
  /** The number of committed bytes changed by this much. */
  bytesChanged(delta: number): void;
  used(task: StoredTask): void;
  /** The task got its first pin, or its last one was released. */
  inUse(task: StoredTask, inUse: boolean): void;
  finished(task: StoredTask): void;
  /** The content may have been changed from outside: take it out of use and verify it. */
  suspect(task: StoredTask): void;
}
