/** The row of one task: its columns as domain values, and the only way to change them, written through to the database. */
import { pieceLayout, type PieceLayout } from '../../core/piece-layout.ts';
import type { AgeClock } from './age-clock.ts';
import type { Metadata, TaskRow } from './metadata.ts';

/** What the task is, for the record; the id was computed from it. */
export interface StoredIdentity {
  readonly url: string;
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  /** `algorithm:value` the whole content must have, when the requester named one. */
  readonly digest?: string | undefined;
  /** Request header worth recording; never credentials. */
  readonly header?: Readonly<Record<string, string>> | undefined;
}

/** Wall clock, unix ms. */
export interface TaskTimes {
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly prefetchedMs: number | undefined;
  readonly finishedMs: number | undefined;
  readonly failedMs: number | undefined;
}

export class TaskRecord {
  readonly #metadata: Metadata;
  readonly #clock: AgeClock;
  #row: TaskRow;
  #layout: PieceLayout | undefined;

  constructor(row: TaskRow, metadata: Metadata, clock: AgeClock) {
    this.#row = row;
    this.#metadata = metadata;
    this.#clock = clock;
    this.#layout = layoutOf(row);
  }

  get row(): TaskRow {
    return this.#row;
  }

  get identity(): StoredIdentity {
    const { url, tag, application, digest, header } = this.#row;
    return {
      url,
      tag: tag ?? undefined,
      application: application ?? undefined,
      digest: digest ?? undefined,
      header: header === null ? undefined : (JSON.parse(header) as Record<string, string>),
    };
  }

  get layout(): PieceLayout | undefined {
    return this.#layout;
  }

  get responseHeader(): Readonly<Record<string, string>> {
    return this.#row.responseHeader === null ? {} : (JSON.parse(this.#row.responseHeader) as Record<string, string>);
  }

  get times(): TaskTimes {
    const { createdMs, updatedMs, prefetchedMs, finishedMs, failedMs } = this.#row;
    return {
      createdMs,
      updatedMs,
      prefetchedMs: prefetchedMs ?? undefined,
      finishedMs: finishedMs ?? undefined,
      failedMs: failedMs ?? undefined,
    };
  }

  /** The content file has been given a name outside the store. */
  get linkedOut(): boolean {
    return this.#row.linkStamp !== null;
  }

  /** Writes through: memory changes only after the database. */
  change(changes: Partial<Omit<TaskRow, 'id'>>): void {
    const updatedMs = this.#clock.wallMs();
    this.#metadata.updateTask(this.#row.id, { ...changes, updatedMs });
    this.#row = { ...this.#row, ...changes, updatedMs };
    this.#layout = layoutOf(this.#row);
  }

  /** A piece was recorded, which has marked the row as not flushed in the same transaction. */
  pieceAdded(updatedMs: number): void {
    this.#row = { ...this.#row, synced: 0, updatedMs };
  }

  /** Uses are written down from time to time only, by the store. */
  used(): void {
    this.#row = { ...this.#row, lastUsedMs: this.#clock.nowMs() };
  }

  uploaded(): void {
    this.#row = { ...this.#row, uploadedCount: this.#row.uploadedCount + 1 };
  }
}

/** The row of a task that has just been asked for. */
export function newTaskRow(id: string, identity: StoredIdentity, clock: AgeClock): TaskRow {
  const nowMs = clock.wallMs();
  return {
    id,
    url: identity.url,
    tag: identity.tag ?? null,
    application: identity.application ?? null,
    digest: identity.digest ?? null,
    header: identity.header ? JSON.stringify(identity.header) : null,
    responseHeader: null,
    contentLength: null,
    pieceLength: null,
    state: 'running',
    synced: 0,
    persistent: 0,
    restricted: 0,
    linkStamp: null,
    stamp: null,
    createdMs: nowMs,
    updatedMs: nowMs,
    prefetchedMs: null,
    finishedMs: null,
    failedMs: null,
    lastUsedMs: clock.nowMs(),
    uploadedCount: 0,
  };
}

function layoutOf(row: TaskRow): PieceLayout | undefined {
  if (row.contentLength === null || row.pieceLength === null) return undefined;
  return pieceLayout(row.contentLength, row.pieceLength);
}
