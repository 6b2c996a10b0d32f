/**
 * What the store knows about its content files, in SQLite (WAL). One row per task, one per verified piece.
 *
 * The database is held in exclusive locking mode from open to close, so it is also the lock of the directory: the
 * kernel drops it when the process ends, however it ends. Statements are synchronous and short.
 */
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { DragonflyError } from '../../core/errors.ts';
import type { SavedAge } from './age-clock.ts';
import { migrate } from './schema.ts';
import { damaged, storageStep, toStorageError } from './storage-error.ts';

export type TaskState = 'running' | 'finished' | 'failed';

/** A row of `task`; times of the wall clock in unix ms, `lastUsedMs` on the store's age clock. */
export interface TaskRow {
  readonly id: string;
  readonly url: string;
  readonly tag: string | null;
  readonly application: string | null;
  readonly digest: string | null;
  /** JSON object of the request header to record; secrets never get here. */
  readonly header: string | null;
  /** JSON object of the origin's response header. */
  readonly responseHeader: string | null;
  readonly contentLength: number | null;
  readonly pieceLength: number | null;
  readonly state: TaskState;
  /** 1 when the content was flushed to the disk after its last write. */
  readonly synced: number;
  /** 1 while the collector must not remove it: this node holds a replica of imported content. */
  readonly persistent: number;
  /** KeptRecord of imported content as JSON; null for content of an origin. */
  readonly kept: string | null;
  /** 1 when the origin gave the content to a request with credentials. */
  readonly restricted: number;
  /** Stamp of the content file when it was last known to be unmodified; null while it has no other name. */
  readonly linkStamp: string | null;
  /** Stamp of the content file when its finished content was last verified; null before. */
  readonly stamp: string | null;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly prefetchedMs: number | null;
  readonly finishedMs: number | null;
  readonly failedMs: number | null;
  readonly lastUsedMs: number;
  readonly uploadedCount: number;
}

export interface PieceRecord {
  readonly number: number;
  readonly offset: number;
  readonly length: number;
  readonly crc32: number;
  /** `origin`, or the id of the peer it came from. */
  readonly source: string;
  readonly costMs: number;
  readonly createdMs: number;
}

export interface TaskTotals {
  readonly taskId: string;
  readonly pieces: number;
  readonly bytes: number;
  /** When the last of them was recorded. */
  readonly latestMs: number;
}

const taskColumns = [
  'id', 'url', 'tag', 'application', 'digest', 'header', 'responseHeader', 'contentLength', 'pieceLength', 'state',
  'synced', 'persistent', 'kept', 'restricted', 'linkStamp', 'stamp', 'createdMs', 'updatedMs', 'prefetchedMs', 'finishedMs', 'failedMs',
  'lastUsedMs', 'uploadedCount',
] as const satisfies readonly (keyof TaskRow)[]; // prettier-ignore

export class Metadata {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Throws IN_USE when another daemon holds the file, STORAGE when it is newer than this program or damaged. */
  static open(directory: string): Metadata {
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(join(directory, 'metadata.sqlite'), { timeout: 0 });
      db.exec('PRAGMA locking_mode = EXCLUSIVE');
      db.exec('PRAGMA journal_mode = WAL');
      db.exec('PRAGMA synchronous = NORMAL');
      // A checkpoint blocks this thread while it flushes. One per 32 MiB of log (some 2,000 pieces) is rare enough not to slow
      // down typical writes.
      db.exec('PRAGMA wal_autocheckpoint = 8000');
      db.exec('BEGIN EXCLUSIVE; COMMIT');
      requireSound(db);
      migrate(db);
      return new Metadata(db);
    } catch (error) {
      db?.close();
      const known = toStorageError(error);
      throw known.code === 'IN_USE' ? inUse(directory, error) : known;
    }
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  tasks(): TaskRow[] {
    return storageStep(() => this.#sql(`SELECT ${taskColumns.join(', ')} FROM task`).all() as unknown as TaskRow[]);
  }

  totals(): TaskTotals[] {
    return storageStep(
      () =>
        this.#sql(
          'SELECT taskId, count(*) AS pieces, sum(length) AS bytes, max(createdMs) AS latestMs FROM piece GROUP BY taskId',
        ).all() as unknown as TaskTotals[],
    );
  }

  putTask(row: TaskRow): void {
    const names = taskColumns.map((name) => `:${name}`).join(', ');
    this.#run(`INSERT OR REPLACE INTO task (${taskColumns.join(', ')}) VALUES (${names})`, { ...row });
  }

  updateTask(id: string, changes: Partial<Omit<TaskRow, 'id'>>): void {
    const names = Object.keys(changes);
    if (names.length === 0) return;
    this.#run(`UPDATE task SET ${names.map((name) => `${name} = :${name}`).join(', ')} WHERE id = :id`, {
      ...changes,
      id,
    });
  }

  /** Saves the times of last use, and the age clock they refer to, in one transaction. */
  saveUsage(rows: Iterable<Pick<TaskRow, 'id' | 'lastUsedMs' | 'uploadedCount'>>, age: SavedAge): void {
    this.transaction(() => {
      for (const row of rows) {
        const { id, lastUsedMs, uploadedCount } = row;
        this.#run('UPDATE task SET lastUsedMs = :lastUsedMs, uploadedCount = :uploadedCount WHERE id = :id', {
          id,
          lastUsedMs,
          uploadedCount,
        });
      }
      this.#run("INSERT OR REPLACE INTO setting (name, value) VALUES ('age', :value)", { value: JSON.stringify(age) });
    });
  }

  savedAge(): SavedAge | undefined {
    return storageStep(() => {
      const row = this.#sql("SELECT value FROM setting WHERE name = 'age'").get();
      return typeof row?.['value'] === 'string' ? (JSON.parse(row['value']) as SavedAge) : undefined;
    });
  }

  /** Records a task with all of its pieces at once, replacing what was recorded of it. */
  putWhole(row: TaskRow, pieces: Iterable<PieceRecord>): void {
    const { id: taskId } = row;
    this.transaction(() => {
      this.#run('DELETE FROM piece WHERE taskId = :taskId', { taskId });
      this.putTask(row);
      for (const piece of pieces) this.#run(insertPiece, { ...piece, taskId });
    });
  }

  /** Removes the task and its pieces. */
  deleteTask(id: string): void {
    this.transaction(() => {
      this.#run('DELETE FROM piece WHERE taskId = :id', { id });
      this.#run('DELETE FROM task WHERE id = :id', { id });
    });
  }

  /**
   * Records a piece whose bytes are in the content file. @param isFirst the first since the content was flushed; the row is then
   * ahead of the disk again.
   */
  putPiece(taskId: string, piece: PieceRecord, isFirst: boolean): void {
    if (!isFirst) return this.#run(insertPiece, { ...piece, taskId });
    this.transaction(() => {
      this.#run(insertPiece, { ...piece, taskId });
      this.#run('UPDATE task SET synced = 0 WHERE id = :taskId', { taskId });
    });
  }

  deletePiece(taskId: string, number: number): void {
    this.#run('DELETE FROM piece WHERE taskId = :taskId AND number = :number', { taskId, number });
  }

  deletePieces(taskId: string): void {
    this.#run('DELETE FROM piece WHERE taskId = :taskId', { taskId });
  }

  piece(taskId: string, number: number): PieceRecord | undefined {
    return storageStep(
      () =>
        this.#sql(`${selectPiece} AND number = :number`).get({ taskId, number }) as unknown as PieceRecord | undefined,
    );
  }

  /** Ascending by number. */
  pieces(taskId: string): PieceRecord[] {
    return storageStep(() => this.#sql(`${selectPiece} ORDER BY number`).all({ taskId }) as unknown as PieceRecord[]);
  }

  transaction(work: () => void): void {
    storageStep(() => this.#db.exec('BEGIN IMMEDIATE'));
    try {
      work();
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw toStorageError(error);
    }
  }

  #run(sql: string, values: Record<string, SQLInputValue>): void {
    storageStep(() => this.#sql(sql).run(values));
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = this.#db.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}

const insertPiece = `INSERT OR REPLACE INTO piece (taskId, number, offset, length, crc32, source, costMs, createdMs)
  VALUES (:taskId, :number, :offset, :length, :crc32, :source, :costMs, :createdMs)`;

const selectPiece = 'SELECT number, offset, length, crc32, source, costMs, createdMs FROM piece WHERE taskId = :taskId';

/** SQLite only notices a damaged page when it reads it; this reads all of them, which takes some hundred milliseconds for a million pieces. */
function requireSound(db: DatabaseSync): void {
  const found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (found !== 'ok') throw damaged(new Error(String(found)));
}

function inUse(directory: string, cause: unknown): DragonflyError {
  return new DragonflyError('IN_USE', `the storage directory ${directory} is in use by another daemon`, {
    cause,
    hint: 'Stop the other daemon, or configure another storage directory for this one.',
  });
}
