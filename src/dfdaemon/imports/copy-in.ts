/** Copies a local user's file into the store's staging directory, with that user's rights only. */
import { constants, openSync, closeSync, type BigIntStats } from 'node:fs';
import { copyFile, open, stat, type FileHandle } from 'node:fs/promises';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import { readAsUser } from './read-as-user.ts';

export interface FileToImport {
  /** The file's length when it was first looked at. */
  readonly lengthBytes: number;
  /** Resolves when all of it is in the file at the path. SOURCE_CHANGED when the source changed meanwhile. */
  copyTo(path: string, signal: AbortSignal): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Throws PERMISSION_DENIED for remote callers, for users this daemon cannot act as, and for files the user may not
 * read; INVALID_ARGUMENT when the path is not a file.
 */
export async function fileToImport(path: string, caller: Caller): Promise<FileToImport> {
  if (caller.kind !== 'local')
    throw new DragonflyError('PERMISSION_DENIED', 'a path to import is only accepted on the unix socket of this node');
  if (!path.startsWith('/')) throw new DragonflyError('INVALID_ARGUMENT', `the path "${path}" is not absolute`);
  const { uid, gid, groups = [] } = caller;
  const own = process.geteuid?.();
  if (uid === undefined || gid === undefined || uid === own || uid === 0) return ownFileToImport(path);
  if (own !== 0) {
    throw new DragonflyError(
      'PERMISSION_DENIED',
      `this daemon runs as user ${own} and cannot read files of user ${uid}`,
      {
        hint: 'Import as the user of the daemon, or run the daemon as root.',
      },
    );
  }
  return fileOfUser(path, { uid, gid, groups });
}

async function ownFileToImport(path: string): Promise<FileToImport> {
  await using opened = new AsyncDisposableStack();
  const file = opened.adopt(await openFile(path), (handle) => handle.close());
  const before = await file.stat({ bigint: true });
  requireFile(path, before);
  const kept = opened.move();
  return {
    lengthBytes: Number(before.size),
    copyTo: async (target, signal) => {
      await copyOpen(file, path, target);
      signal.throwIfAborted();
      requireSame(path, before, await file.stat({ bigint: true }));
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The process that reads the file has only the user's rights; the daemon just learns the file's properties. */
async function fileOfUser(
  path: string,
  user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] },
): Promise<FileToImport> {
  const before = await readAsUser({ ...user, path }, undefined, AbortSignal.timeout(lookTimeoutMs));
  return {
    lengthBytes: before.lengthBytes,
    copyTo: async (target, signal) => {
      const fd = openSync(target, 'r+');
      try {
        const after = await readAsUser({ ...user, path }, fd, signal);
        if (after.stamp !== before.stamp) throw changed(path);
      } finally {
        closeSync(fd);
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const lookTimeoutMs = 30_000;

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO would wait for a writer
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new DragonflyError('NOT_FOUND', `there is no file ${path}`, { cause: error });
    throw toDragonflyError(error);
  }
}

/**
 * Copies by descriptor where the system has names for descriptors, so that it is the file that was looked at. Shares blocks where
 * the file system can.
 */
async function copyOpen(file: FileHandle, path: string, target: string): Promise<void> {
  const byDescriptor = `/proc/self/fd/${file.fd}`;
  const known = await stat(byDescriptor).then(
    () => true,
    () => false,
  );
  try {
    await copyFile(known ? byDescriptor : path, target, constants.COPYFILE_FICLONE);
  } catch (error) {
    throw toDragonflyError(error);
  }
}

function requireFile(path: string, stats: BigIntStats): void {
  if (stats.isFile()) return;
  const what = stats.isDirectory() ? 'a directory' : 'no file';
  throw new DragonflyError('INVALID_ARGUMENT', `${path} is ${what}: only files are imported`);
}

function requireSame(path: string, before: BigIntStats, after: BigIntStats): void {
  if (before.size !== after.size || before.mtimeNs !== after.mtimeNs) throw changed(path);
}

function changed(path: string): DragonflyError {
  return new DragonflyError('SOURCE_CHANGED', `${path} was changed while it was imported`, {
    hint: 'Import it again when nobody writes to it.',
  });
}
