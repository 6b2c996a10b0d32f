/** The row of one task: its columns as domain values, and the only way to change them; changes are written through to the database. */
import { DragonflyError } from '../../core/errors.ts';
import { pieceLayout, type PieceLayout } from '../../core/piece-layout.ts';
import { expiresMs, type StoredObject } from '../../swarm/replicas/kept-task.ts';
import type { AgeClock } from './age-clock.ts';
import type { Metadata, TaskRow } from './metadata.ts';

/** What the task is, for the record; its id was computed from this. */
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

/** Facts about imported content that every node holding it records; the rest is in the row. */
export interface KeptRecord {
  readonly replicas: number;
  /** Wall clock, unix ms. */
  readonly createdMs: number;
  readonly ttlMs: number;
  readonly owner: string;
  /** Of a persistent task. */
  readonly object?: StoredObject | undefined;
  /** Present on the node that uploads the content to its store, until the store has it. */
  readonly upload?: PendingUpload | undefined;
}

export interface PendingUpload {
  /** How to reach the store, including credentials; see SealedStorage. */
  readonly sealedStorage: string;
  readonly partLengthBytes: number;
  /** Id of a multipart upload that has begun. */
  readonly uploadId?: string | undefined;
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

  /** Throws FAILED_PRECONDITION when it contradicts what is known. */
  requireLayout(contentLengthBytes: number | undefined, pieceLengthBytes: number): void {
    const { id, contentLength, pieceLength } = this.#row;
    const differs =
      (pieceLength !== null && pieceLength !== pieceLengthBytes) ||
      (contentLength !== null && contentLengthBytes !== undefined && contentLength !== contentLengthBytes);
    if (!differs) return;
    throw new DragonflyError(
      'FAILED_PRECONDITION',
      `task ${id} has ${contentLength ?? 'unknown'} bytes in pieces of ${pieceLength}, not ${contentLengthBytes ?? 'unknown'} in pieces of ${pieceLengthBytes}`,
    );
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

  /** Undefined for content of an origin. */
  get kept(): KeptRecord | undefined {
    return this.#row.kept === null ? undefined : (JSON.parse(this.#row.kept) as KeptRecord);
  }

  get persistent(): boolean {
    const { kept } = this;
    return this.#row.persistent === 1 && kept !== undefined && expiresMs(kept) > this.#clock.wallMs();
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

  /** A piece was recorded; the first one after a flush also records that the row is ahead of the disk. Times of pieces are in their own rows. */
  pieceAdded(updatedMs: number): void {
    this.#row = { ...this.#row, synced: 0, updatedMs };
  }

  /** Marks a use; the store saves uses from time to time. */
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
    kept: null,
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
