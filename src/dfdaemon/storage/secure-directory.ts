/** Directories that only this user may enter: creates them, or checks them before anything inside is trusted; also empties them. */
import { chmodSync, lstatSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { makeDirectory } from '../../core/files/make-directory.ts';

/**
 * Creates the directory and missing parents, or checks an existing one: a real directory that is ours and not writable
 * by others. A directory that is readable by others gets closed. Throws PERMISSION_DENIED for anything suspicious.
 */
export function secureDirectory(path: string): void {
  let stat;
  try {
    makeDirectory(path, 0o700);
    stat = lstatSync(path);
  } catch (error) {
    throw toDragonflyError(error);
  }
  if (!stat.isDirectory())
    throw refuse(path, 'is not a directory', 'Remove the link or file, or configure another directory.');
  const uid = process.geteuid?.();
  if (uid !== undefined && stat.uid !== uid) {
    throw refuse(
      path,
      `belongs to user ${stat.uid}, not to ${uid}`,
      'Give it to the user this daemon runs as, or configure another directory.',
    );
  }
  if ((stat.mode & 0o022) !== 0) {
    throw refuse(
      path,
      'is writable by other users',
      'Its contents cannot be trusted: empty it and run chmod 700 on it.',
    );
  }
  if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700);
}

function refuse(path: string, what: string, hint: string): DragonflyError {
  return new DragonflyError('PERMISSION_DENIED', `the directory ${path} ${what}`, { hint });
}

/** Removes what is in the directory. */
export async function emptyDirectory(directory: string): Promise<void> {
  for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true, force: true });
}
