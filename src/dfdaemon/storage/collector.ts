/**
 * Keeps the store within its bounds: removes expired tasks, then the least recently used ones while a quota or the file
 * system is above its high watermark, down to the low one. Bytes are counted as pieces come and go, so the directory is
 * never walked.
 */
import { statfs } from 'node:fs/promises';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { formatBytes } from '../../core/units.ts';
import type { Logger } from '../../core/process/logger.ts';
import { planEviction, type EvictionCandidate, type EvictionPressure } from './eviction-plan.ts';
import { defaultCollectIntervalMs, defaultMaxTasks, maxUnseenGrowthBytes } from './limits.ts';
import type { StoredTask } from './stored-task.ts';
import type { TaskStore } from './task-store.ts';

export interface CollectorPolicy {
  /** Tasks unused for longer are removed; 0 for never. */
  readonly ttlMs: number;
  /** Maximum size of the store in bytes; 0 for no quota. */
  readonly quotaBytes: number;
  /** Used share of the file system, in percent, above which tasks are removed; 100 for never. */
  readonly highPercent: number;
  /**
   * Low watermark: eviction stops this far below `highPercent`, so that the next download does not start it again. The quota has a
   * low watermark in the same proportion.
   */
  readonly marginPercent: number;
  readonly maxTasks: number;
  readonly intervalMs: number;
}

export const defaultCollectorPolicy: CollectorPolicy = {
  ttlMs: 72 * 3_600_000,
  quotaBytes: 0,
  highPercent: 90,
  marginPercent: 10,
  maxTasks: defaultMaxTasks,
  intervalMs: defaultCollectIntervalMs,
};

export interface CollectionReport {
  readonly removedTasks: number;
  readonly removedBytes: number;
}

/** Space of the file system in bytes; `available` is what an ordinary user may still write. */
interface DiskSpace {
  readonly usedBytes: number;
  readonly availableBytes: number;
}

export interface CollectorOptions {
  readonly store: TaskStore;
  readonly policy?: Partial<CollectorPolicy>;
  readonly logger?: Logger;
  /** Space of the store's file system; for machines whose `statfs` is unreliable. */
  readonly diskSpace?: () => Promise<DiskSpace>;
}

export class Collector {
  readonly policy: CollectorPolicy;
  readonly #store: TaskStore;
  readonly #logger: Logger | undefined;
  readonly #diskSpace: () => Promise<DiskSpace>;
  readonly #stopListening: () => void;
  /** Bytes received since the last collection, and how many trigger the next one. */
  #grownBytes = 0;
  #lookAgainBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(options: CollectorOptions) {
    this.policy = { ...defaultCollectorPolicy, ...options.policy };
    this.#store = options.store;
    this.#logger = options.logger;
    this.#diskSpace = options.diskSpace ?? (() => spaceOf(options.store.directory));
    options.store.onDiskFull((bytes) => this.#relieve(bytes));
    this.#stopListening = options.store.onGrowth((bytes) => this.#grown(bytes));
  }

  static create(options: CollectorOptions): Collector {
    return new Collector(options);
  }

  /** Starts collecting at the policy's interval. */
  start(): void {
    const collect = (): void => {
      this.collect().catch((error: unknown) => {
        this.#logger?.warn({ error: toDragonflyError(error).message }, 'stored tasks could not be collected');
      });
    };
    this.#timer ??= setInterval(collect, this.policy.intervalMs).unref();
    collect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#stopListening();
    await this.#running.catch(() => undefined);
  }

  collect(): Promise<CollectionReport> {
    return this.#inTurn(() => this.#evict());
  }

  /**
   * Checks that content of this many bytes can fit. Throws NO_SPACE when it cannot. Other tasks are only evicted as its
   * bytes arrive, because an announced length alone must not empty the store. Call it before the layout of the new task
   * is set; after that its missing bytes count as taken.
   */
  makeRoom(bytes: number): Promise<void> {
    return this.#inTurn(async () => {
      const { quotaBytes } = this.policy;
      if (quotaBytes > 0 && bytes > quotaBytes) {
        throw new DragonflyError(
          'NO_SPACE',
          `content of ${formatBytes(bytes)} is larger than the storage quota of ${formatBytes(quotaBytes)}`,
          {
            hint: 'Raise storage.diskGCThreshold.',
          },
        );
      }
      const before = await this.#diskSpace();
      const isPressed = this.#isPressed(this.#pressure(before, 0));
      if (isPressed) await this.#evict();
      const promised = this.#promisedBytes() + bytes;
      const { availableBytes } = isPressed ? await this.#diskSpace() : before;
      // All tasks are only examined when the content does not fit beside everything stored.
      const fitsBeside = quotaBytes === 0 || this.#store.usedBytes + promised <= quotaBytes;
      if (fitsBeside && promised <= availableBytes) return;
      const idle = this.#idleBytes();
      if (quotaBytes > 0 && this.#store.usedBytes + promised - idle.bytes > quotaBytes)
        throw noSpace(bytes, 'the storage quota is taken up by tasks in use');
      if (promised > availableBytes + idle.freedBytes)
        throw noSpace(bytes, `the disk has ${formatBytes(availableBytes)} left`);
    });
  }

  /** A write found no space, although a length was only announced so far. */
  async #relieve(bytes: number): Promise<boolean> {
    try {
      await this.#inTurn(() => this.#evict(bytes));
      return (await this.#diskSpace()).availableBytes >= bytes;
    } catch {
      return false; // the write's own error says more
    }
  }

  /** @param atOnceBytes must be free afterwards. */
  async #evict(atOnceBytes = 0): Promise<CollectionReport> {
    const { quotaBytes } = this.policy;
    const space = await this.#diskSpace();
    this.#lookAgainBytes = Math.min(maxUnseenGrowthBytes, (quotaBytes || space.availableBytes) / 64);
    this.#grownBytes = 0;
    const plan = planEviction(this.#store.list().map(candidate), this.#pressure(space, atOnceBytes));
    let removedTasks = 0;
    let removedBytes = 0;
    for (const id of plan) {
      const bytes = this.#store.get(id)?.bytes ?? 0;
      if (this.#store.remove(id) !== 'removed') continue;
      removedTasks += 1;
      removedBytes += bytes;
    }
    await this.#store.removalsDone();
    if (removedTasks > 0) this.#logger?.info({ removedTasks, removedBytes }, 'stored tasks were collected');
    return { removedTasks, removedBytes };
  }

  #pressure(space: DiskSpace, atOnceBytes: number): EvictionPressure {
    const { ttlMs, quotaBytes, highPercent, marginPercent, maxTasks } = this.policy;
    const lowPercent = Math.max(0, highPercent - marginPercent);
    const lowShare = highPercent > 0 ? lowPercent / highPercent : 1;
    const held = this.#store.usedBytes + this.#claimedBytes(0);
    return {
      nowMs: this.#store.clock.nowMs(),
      ttlMs,
      // Arriving bytes never count against the low watermark, otherwise a large task would evict everything.
      excessBytes:
        quotaBytes > 0 && held > quotaBytes
          ? Math.max(held - quotaBytes, this.#store.usedBytes - quotaBytes * lowShare)
          : 0,
      lackingBytes: lackingBytes(space, Math.max(this.#claimedBytes(1), 2 * atOnceBytes), highPercent, lowPercent),
      excessTasks: this.#store.taskCount - maxTasks,
    };
  }

  /** Whether something has to be removed now; expired tasks wait for the next collection. */
  #isPressed({ excessBytes, lackingBytes: lacking, excessTasks }: EvictionPressure): boolean {
    return excessBytes > 0 || lacking > 0 || excessTasks > 0;
  }

  /** Bytes that running downloads have yet to write. */
  #promisedBytes(): number {
    let bytes = 0;
    for (const task of this.#store.inUse) {
      if (task.contentLengthBytes !== undefined) bytes += Math.max(0, task.contentLengthBytes - task.bytes);
    }
    return bytes;
  }

  /** What could be freed. */
  #idleBytes(): { bytes: number; freedBytes: number } {
    const idle = { bytes: 0, freedBytes: 0 };
    for (const { bytes, freedBytes, inUse } of this.#store.list().map(candidate)) {
      if (inUse) continue;
      idle.bytes += bytes;
      idle.freedBytes += freedBytes;
    }
    return idle;
  }

  /** Space that running downloads may claim now: a task that has some bytes may bring as many again, a new one its first pieces. */
  #claimedBytes(firstPieces: number): number {
    let bytes = 0;
    for (const task of this.#store.inUse) {
      if (task.contentLengthBytes === undefined) continue;
      const claim = Math.max(task.bytes, firstPieces * (task.pieceLengthBytes ?? 0));
      bytes += Math.max(0, Math.min(task.contentLengthBytes - task.bytes, claim));
    }
    return bytes;
  }

  #grown(bytes: number): void {
    if (bytes <= 0) return;
    this.#grownBytes += bytes;
    if (this.#grownBytes < this.#lookAgainBytes) return;
    this.#grownBytes = 0;
    this.collect().catch((error: unknown) => {
      this.#logger?.warn({ error: toDragonflyError(error).message }, 'no room could be made for what comes in');
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#running.then(work, work);
    this.#running = turn.catch(() => undefined);
    return turn;
  }
}

function candidate(task: StoredTask): EvictionCandidate {
  const { id, bytes, record } = task;
  const { lastUsedMs } = record.row;
  const inUse = task.inUse || task.persistent;
  return { id, bytes, lastUsedMs, inUse, freedBytes: record.linkedOut ? 0 : bytes };
}

/** Above the high watermark: down to the low one. In any case the promised bytes must fit. */
function lackingBytes(
  { usedBytes, availableBytes }: DiskSpace,
  promised: number,
  highPercent: number,
  lowPercent: number,
): number {
  const total = usedBytes + availableBytes;
  const overHigh = highPercent < 100 && usedBytes >= (total * highPercent) / 100;
  return Math.max(overHigh ? usedBytes - (total * lowPercent) / 100 : 0, promised - availableBytes, 0);
}

async function spaceOf(directory: string): Promise<DiskSpace> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(directory);
    return { usedBytes: (blocks - bfree) * bsize, availableBytes: bavail * bsize };
  } catch (error) {
    throw toDragonflyError(error);
  }
}

function noSpace(bytes: number, why: string): DragonflyError {
  return new DragonflyError('NO_SPACE', `there is no room for ${formatBytes(bytes)}: ${why}`, {
    hint: 'Free space, raise storage.diskGCThreshold, or wait for running downloads to end.',
  });
}
