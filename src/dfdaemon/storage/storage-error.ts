/** Translates faults of the disk and of the metadata database into the product's errors. */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';

/** Primary result codes of SQLite that say something about the disk. */
const sqliteCodes: Readonly<Record<number, ConstructorParameters<typeof DragonflyError>>> = {
  5: ['IN_USE', 'the storage directory is in use by another daemon'],
  8: ['STORAGE', 'the storage metadata cannot be written: the file system is read-only'],
  10: ['STORAGE', 'the disk reported an error while storage metadata was accessed'],
  11: ['STORAGE', 'the storage metadata is damaged'],
  13: ['NO_SPACE', 'the disk is full: storage metadata cannot be written'],
  14: ['STORAGE', 'the storage metadata cannot be opened'],
  26: ['STORAGE', 'the storage metadata is not a database'],
};

export function toStorageError(error: unknown): DragonflyError {
  const errcode = (error as { errcode?: unknown } | undefined)?.errcode;
  const known = typeof errcode === 'number' ? sqliteCodes[errcode & 0xff] : undefined;
  if (!known) return toDragonflyError(error);
  return new DragonflyError(known[0], known[1], { cause: error });
}

/** The file is not a SQLite database, or some of its pages are broken. */
export function isDamaged(error: unknown): boolean {
  const cause = (error as { cause?: { errcode?: unknown } } | undefined)?.cause;
  return typeof cause?.errcode === 'number' && [11, 26].includes(cause.errcode & 0xff);
}

export function damaged(cause: Error): DragonflyError {
  return toStorageError(Object.assign(cause, { errcode: 11 }));
}

/** Runs a short synchronous step of the store; anything it throws becomes a DragonflyError. */
export function storageStep<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw toStorageError(error);
  }
}
