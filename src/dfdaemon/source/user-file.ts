/** Reads a file that a request names, with the rights of the requesting user, because this process often has more rights. */
import { constants, statSync, type Stats } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import type { Caller, LocalUser } from '../../rpc/server/caller.ts';
import { maxUserFileBytes } from './limits.ts';

/** Throws PERMISSION_DENIED for remote callers, and for files that the user may not read. */
export async function readAsCaller(path: string, caller: Caller): Promise<string> {
  if (caller.kind !== 'local') throw refused(path, 'who asks is not a user of this machine');
  let file;
  try {
    const real = await realpath(path);
    requireReachable(real, caller);
    file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof DragonflyError) throw error;
    throw refused(path, (error as Error).message, error);
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > maxUserFileBytes) throw refused(path, 'it is no small file');
    if (!may(caller, stats, 4)) throw refused(path, 'its user may not read it');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** The user must be able to pass through every directory above the file. */
function requireReachable(path: string, user: LocalUser): void {
  for (let above = dirname(path); ; above = dirname(above)) {
    if (!may(user, statSync(above), 1)) throw refused(path, `its user may not enter ${above}`);
    if (above === dirname(above)) return;
  }
}

/** @param right 4 to read, 1 to pass through. The first class that the user belongs to decides. */
function may({ uid, gid, groups = [] }: LocalUser, stats: Stats, right: 4 | 1): boolean {
  if (uid === 0 || uid === process.geteuid?.()) return true;
  if (uid === stats.uid) return (stats.mode & (right << 6)) !== 0;
  if (gid === stats.gid || groups.includes(stats.gid)) return (stats.mode & (right << 3)) !== 0;
  return (stats.mode & right) !== 0;
}

function refused(path: string, why: string, cause?: unknown): DragonflyError {
  return new DragonflyError('PERMISSION_DENIED', `the file of credentials ${path} is not read: ${why}`, {
    cause,
    hint: 'Name a file on the machine of the dfdaemon that you may read.',
  });
}
