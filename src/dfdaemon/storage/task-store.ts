/**
 * All tasks of one daemon, on disk: `content/tasks/<first 3 hex>/<id>` for the bytes, `metadata.sqlite` for the rest.
 *
 * The index of tasks is in memory, the pieces of a task are read when first requested. The process that opens the store owns the
 * directory: a second daemon gets IN_USE.
 */
import { readdir, rm } from 'node:fs/promises';
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { isTaskId } from '../../core/ids.ts';
import type { Logger } from '../../core/process/logger.ts';
import { AgeClock, type TimeSource } from './age-clock.ts';
import { FlushQueue } from './flush-queue.ts';
import { ForeignContent, type ProvenContent } from './foreign-content.ts';
import { usageFlushIntervalMs } from './limits.ts';
import type { Metadata, TaskRow } from './metadata.ts';
import { openMetadata } from './open-metadata.ts';
import { Recovery } from './recovery.ts';
import { emptyDirectory, secureDirectory } from './secure-directory.ts';
import { StoredTask } from './stored-task.ts';
import type { TaskHost } from './task-host.ts';
import { newTaskRow, type StoredIdentity } from './task-record.ts';
import { stagedOf, takenRow, wholeTask, type Adoption, type StagedContent, type Taking } from './staging.ts';

export interface TaskStoreOptions {
  readonly directory: string;
  /** Keep tasks over a restart (default true); otherwise the directory is emptied at open and at close. */
  readonly keepStorage?: boolean;
  readonly logger?: Logger;
  readonly time?: TimeSource;
}

export type RemoveOutcome = 'removed' | 'deferred' | 'absent';

export interface Removal {
  /** Only this node is told. */
  readonly quietly: boolean;
}

type RemovedListener = (task: StoredTask, removal: Removal) => void;

const told: Removal = { quietly: false };

export class TaskStore {
  readonly directory: string;
  readonly #metadata: Metadata;
  readonly #clock: AgeClock;
  readonly #options: TaskStoreOptions;
  readonly #tasks = new Map<string, StoredTask>();
  readonly #recovery: Recovery;
  readonly #flushes: FlushQueue;
  readonly #usedSinceFlush = new Set<StoredTask>();
  /** Pinned tasks: few among many. */
  readonly inUse = new Set<StoredTask>();
  readonly #doomed = new Map<StoredTask, Removal>();
  /** Removed tasks whose rows could not be deleted yet. */
  readonly #undeleted = new Set<string>();
  readonly #removedListeners = new Set<RemovedListener>();
  readonly #corruptListeners = new Set<(task: StoredTask) => void>();
  readonly #growthListeners = new Set<(bytes: number) => void>();
  #relief: ((bytes: number) => Promise<boolean>) | undefined;
  readonly #deletions = new Set<Promise<void>>();
  #usageTimer: NodeJS.Timeout | undefined;
  readonly #host: TaskHost;
  #foreign: ForeignContent | undefined;
  #usedBytes = 0;
  #trashCount = 0;
  #closing: Promise<void> | undefined;

  private constructor(options: TaskStoreOptions, metadata: Metadata) {
    this.directory = options.directory;
    this.#options = options;
    this.#metadata = metadata;
    this.#clock = new AgeClock(metadata.savedAge(), options.time);
    this.#flushes = new FlushQueue(options.logger);
    this.#recovery = new Recovery(options.logger, (task, lost) => {
      if (lost > 0) for (const listener of this.#corruptListeners) listener(task);
      if (task.record.row.synced === 0 && task.state === 'finished') this.#flushes.add(task);
    });
    this.#host = {
      metadata,
      clock: this.#clock,
      relieve: (bytes) => this.#relief?.(bytes) ?? Promise.resolve(false),
      bytesChanged: (delta) => {
        this.#usedBytes += delta;
        for (const listener of this.#growthListeners) listener(delta);
      },
      used: (task) => this.#usedSinceFlush.add(task),
      inUse: (task, inUse) => {
        if (inUse) return void this.inUse.add(task);
        this.inUse.delete(task);
        const removal = this.#doomed.get(task);
        if (removal) this.#drop(task, removal);
      },
      finished: (task) => this.#flushes.add(task),
      suspect: (task) => this.#recovery.add(task),
    };
  }

  /**
   * Opens the directory, which must belong to this daemon alone. Pieces that were not flushed before an unclean stop
   * are verified in the background; `recovered` waits for that. Throws IN_USE, PERMISSION_DENIED, STORAGE, NO_SPACE.
   */
  static async open(options: TaskStoreOptions): Promise<TaskStore> {
    secureDirectory(options.directory);
    for (const part of ['content', 'trash', 'incoming']) secureDirectory(join(options.directory, part));
    const metadata = openMetadata(options);
    try {
      const store = new TaskStore(options, metadata);
      if (options.keepStorage === false) store.#clear();
      store.#load();
      if (options.keepStorage !== false) store.#takeOver();
      await store.#discardUnknown();
      await Promise.all(store.#deletions);
      await emptyDirectory(join(store.directory, 'trash'));
      await emptyDirectory(store.incoming);
      store.#usageTimer = setInterval(() => store.#saveUsage(), usageFlushIntervalMs).unref();
      return store;
    } catch (error) {
      metadata.close();
      throw toDragonflyError(error);
    }
  }

  get(id: string): StoredTask | undefined {
    return this.#tasks.get(id);
  }

  list(): StoredTask[] {
    return [...this.#tasks.values()];
  }

  get taskCount(): number {
    return this.#tasks.size;
  }

  /** Committed bytes of all tasks. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The clock by which tasks age. */
  get clock(): AgeClock {
    return this.#clock;
  }

  /** The task with this id; created when it does not exist. Pin it before the next await. */
  open(id: string, identity: StoredIdentity): StoredTask {
    if (this.#closing) throw new DragonflyError('UNAVAILABLE', 'the store is closing');
    const known = this.#tasks.get(id);
    if (known) return known;
    if (!isTaskId(id)) throw new DragonflyError('INVALID_ARGUMENT', `"${id}" is not a task id`);
    if (this.#undeleted.has(id)) {
      this.#metadata.deleteTask(id);
      this.#undeleted.delete(id);
    }
    const row = newTaskRow(id, identity, this.#clock);
    this.#metadata.putTask(row);
    return this.#add(row, 0);
  }

  /** Directory for content that is not a task yet, on the same file system; emptied at each start. */
  get incoming(): string {
    return join(this.directory, 'incoming');
  }

  /** Whether tasks outlive this process. */
  get keepsStorage(): boolean {
    return this.#options.keepStorage !== false;
  }

  /**
   * Adopts a staged file as the whole content of an imported task, which becomes a replica, replacing what is there of
   * the task. A crash leaves all of it or nothing. Throws IN_USE while the present content is in use.
   */
  adopt(id: string, identity: StoredIdentity, { staged, kept }: Adoption): StoredTask {
    if (this.#closing) throw new DragonflyError('UNAVAILABLE', 'the store is closing');
    const known = this.#tasks.get(id);
    if (known?.inUse === true) throw new DragonflyError('IN_USE', `task ${id} is being read or written`);
    const fresh = { ...newTaskRow(id, identity, this.#clock), kept: JSON.stringify(kept), persistent: 1 };
    return this.#putWhole(fresh, staged);
  }

  /** The same for an ordinary task whose digest was verified. Undefined when something of the task is here: that stays, and so does the file. */
  take(id: string, identity: StoredIdentity, taking: Taking): StoredTask | undefined {
    const known = this.#tasks.get(id);
    if (this.#closing || known?.inUse === true || (known && known.pieces.count > 0)) return undefined;
    return this.#putWhole(takenRow(newTaskRow(id, identity, this.#clock), taking), taking.staged);
  }

  /** Replaces what is there of the task. */
  #putWhole(fresh: TaskRow, staged: StagedContent): StoredTask {
    const known = this.#tasks.get(fresh.id);
    if (known) this.#drop(known, { quietly: true });
    const path = this.#contentPath(fresh.id);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    renameSync(staged.path, path);
    const { row, pieces } = wholeTask(fresh, staged, path);
    this.#metadata.putWhole(row, pieces);
    this.#undeleted.delete(fresh.id);
    const task = this.#add(row, staged.layout.contentLengthBytes);
    task.seen();
    for (const listener of this.#growthListeners) listener(task.bytes);
    this.#flushes.add(task);
    return task;
  }

  /** Removes the task now, or when its last user is done (`deferred`). */
  remove(id: string, removal: Removal = told): RemoveOutcome {
    const task = this.#tasks.get(id);
    if (!task) return 'absent';
    if (task.inUse) {
      this.#doomed.set(task, removal);
      return 'deferred';
    }
    this.#drop(task, removal);
    return 'removed';
  }

  /** Resolves when the file system has regained the bytes of all removed tasks. */
  async removalsDone(): Promise<void> {
    await Promise.all(this.#deletions);
  }

  /** Called synchronously after a task has left the store. The returned function stops it. */
  onRemoved(listener: RemovedListener): () => void {
    this.#removedListeners.add(listener);
    return () => this.#removedListeners.delete(listener);
  }

  /** Called when a write finds no disk space; resolves with true when it freed some. */
  onDiskFull(relief: (bytes: number) => Promise<boolean>): void {
    this.#relief = relief;
  }

  /** Called synchronously when the size of the store grows (or, negative, shrinks). The returned function stops it. */
  onGrowth(listener: (bytes: number) => void): () => void {
    this.#growthListeners.add(listener);
    return () => this.#growthListeners.delete(listener);
  }

  /** Called after corrupt pieces of the task were dropped. */
  onCorrupt(listener: (task: StoredTask) => void): void {
    this.#corruptListeners.add(listener);
  }

  /** Resolves when everything left by an unclean stop, or by a daemon of the original, is verified. */
  async recovered(): Promise<void> {
    await this.#foreign?.done;
    await this.#recovery.idle();
  }

  /** Reads every recorded piece again and drops the corrupt ones; resolves when done. */
  async verify(task: StoredTask): Promise<void> {
    this.#recovery.add(task);
    await task.recovered;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#usageTimer);
    await this.#foreign?.stop();
    await this.#recovery.stop();
    if (this.#options.keepStorage === false) {
      for (const task of this.#tasks.values()) this.#drop(task);
    } else {
      for (const task of this.#tasks.values())
        if (task.bytes > 0 && task.record.row.synced === 0) this.#flushes.add(task);
      await this.#flushes.idle();
      this.#saveUsage();
    }
    await Promise.all(this.#deletions);
    this.#metadata.close();
  }

  #load(): void {
    const totals = new Map(this.#metadata.totals().map((total) => [total.taskId, total]));
    for (const row of this.#metadata.tasks()) {
      const total = totals.get(row.id);
      const task = this.#add({ ...row, updatedMs: Math.max(row.updatedMs, total?.latestMs ?? 0) }, total?.bytes ?? 0);
      // Empty content without a digest is not trusted, since earlier versions took it from a scheduler: the origin is asked
      // again.
      if (row.contentLength === 0 && row.digest === null) task.restart();
      if (total && (row.synced === 0 || !hasContent(task, total.bytes))) this.#recovery.add(task);
    }
  }

  #add(row: TaskRow, bytes: number): StoredTask {
    const task = new StoredTask(row, bytes, this.#contentPath(row.id), this.#host);
    this.#tasks.set(row.id, task);
    this.#usedBytes += bytes;
    return task;
  }

  #takeOver(): void {
    const { directory, logger } = this.#options;
    // Nobody knows who was allowed to have it, so it is only for callers with credentials.
    const take = (found: ProvenContent): void =>
      void this.take(
        found.id,
        { url: '', digest: `sha256:${found.id}` },
        { staged: stagedOf(found), restricted: true },
      );
    this.#foreign = new ForeignContent({ directory, take, logger }, (id) => this.#tasks.has(id));
  }

  /** A crash in between leaves rows without a file, which the next start notices, or a file in the trash. */
  #drop(task: StoredTask, removal: Removal = told): void {
    this.#discard(task.content.path);
    this.#tasks.delete(task.id);
    this.#doomed.delete(task);
    this.inUse.delete(task);
    this.#usedSinceFlush.delete(task);
    task.markRemoved();
    this.#deleteRows(task.id);
    for (const listener of this.#removedListeners) listener(task, removal);
  }

  /** On a full disk even this needs space in the log: it is tried again once the bytes are freed. */
  #deleteRows(id: string): void {
    try {
      this.#metadata.deleteTask(id);
      this.#undeleted.delete(id);
    } catch (error) {
      this.#undeleted.add(id);
      this.#warn('the rows of a removed task stay for now', error, { task: id });
    }
  }

  /** Renames the file at once, so that a new task of the same id starts afresh; its bytes are freed in the background. */
  #discard(path: string): void {
    this.#trashCount += 1;
    const doomed = join(this.directory, 'trash', `${process.pid}-${this.#trashCount}`);
    try {
      renameSync(path, doomed);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw toDragonflyError(error);
    }
    const deletion = rm(doomed, { recursive: true, force: true })
      .catch((error: unknown) => this.#warn('removed content stays on disk', error, { path: doomed }))
      .finally(() => this.#deletions.delete(deletion));
    this.#deletions.add(deletion);
  }

  #clear(): void {
    for (const row of this.#metadata.tasks()) this.#metadata.deleteTask(row.id);
    this.#discard(join(this.directory, 'content'));
    mkdirSync(join(this.directory, 'content'), { mode: 0o700 });
  }

  /** Removes content without a row: the metadata was lost, or is older than the content. */
  async #discardUnknown(): Promise<void> {
    const root = join(this.directory, 'content', 'tasks');
    let count = 0;
    for (const part of await readdir(root).catch(() => [])) {
      for (const name of await readdir(join(root, part)).catch(() => [])) {
        if (this.#tasks.has(name)) continue;
        this.#discard(join(root, part, name));
        count += 1;
      }
    }
    if (count > 0) this.#options.logger?.warn({ files: count }, 'content without metadata was removed from the store');
  }

  #contentPath(id: string): string {
    return join(this.directory, 'content', 'tasks', id.slice(0, 3), id);
  }

  #saveUsage(): void {
    for (const id of this.#undeleted) this.#deleteRows(id);
    const used = [...this.#usedSinceFlush].filter((task) => !task.removed);
    this.#usedSinceFlush.clear();
    try {
      this.#metadata.saveUsage(
        used.map((task) => task.record.row),
        this.#clock.save(),
      );
    } catch (error) {
      for (const task of used) this.#usedSinceFlush.add(task);
      this.#warn('the last uses of tasks were not recorded', error);
    }
  }

  #warn(text: string, error: unknown, about: Readonly<Record<string, string>> = {}): void {
    this.#options.logger?.warn({ ...about, error: toDragonflyError(error).message }, text);
  }
}

/** The file exists and may hold what the metadata says. */
function hasContent(task: StoredTask, bytes: number): boolean {
  const stamp = task.content.stamp();
  return stamp !== undefined && stamp.sizeBytes >= bytes;
}
