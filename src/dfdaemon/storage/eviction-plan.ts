/** Chooses the tasks to remove: expired ones, then the least recently used until enough is freed. Pure. */

export interface EvictionCandidate {
  readonly id: string;
  /** Size of the task as the store counts it. */
  readonly bytes: number;
  /** Bytes that the file system regains: none while the content has a name outside the store. */
  readonly freedBytes: number;
  /** On the store's age clock. */
  readonly lastUsedMs: number;
  /** The task is in use, or is a replica that has to stay. */
  readonly inUse: boolean;
}

export interface EvictionPressure {
  readonly nowMs: number;
  /** Unused for longer than this: expired. 0 for never. */
  readonly ttlMs: number;
  /** Bytes the store has to free to meet its quota. */
  readonly excessBytes: number;
  /** Bytes the file system lacks. */
  readonly lackingBytes: number;
  /** Number of tasks above the limit of the index. */
  readonly excessTasks: number;
}

/** Ids in the order they are to be removed; never one in use. */
export function planEviction(candidates: Iterable<EvictionCandidate>, pressure: EvictionPressure): string[] {
  let { excessBytes, lackingBytes, excessTasks } = pressure;
  const idle = [...candidates].filter((candidate) => !candidate.inUse);
  idle.sort((a, b) => a.lastUsedMs - b.lastUsedMs || (a.id < b.id ? -1 : 1));
  const plan: string[] = [];
  for (const { id, bytes, freedBytes, lastUsedMs } of idle) {
    const expired = pressure.ttlMs > 0 && pressure.nowMs - lastUsedMs > pressure.ttlMs;
    const helps = excessTasks > 0 || (excessBytes > 0 && bytes > 0) || (lackingBytes > 0 && freedBytes > 0);
    if (!expired && !helps) continue;
    plan.push(id);
    excessBytes -= bytes;
    lackingBytes -= freedBytes;
    excessTasks -= 1;
  }
  return plan;
}
