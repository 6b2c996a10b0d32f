/** Private keys and socket directories: trusted only when no other user could have put them there. */
import { lstatSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { DragonflyError, toDragonflyError } from '../errors.ts';
import { makeDirectory } from './make-directory.ts';

/**
 * Reads a private key that belongs to this user or to root. A key of ours that others can read is made private, as
 * `ssh` would demand. Throws PERMISSION_DENIED when others can write it, or can still read it. Links are followed,
 * since secrets are mounted as links; the owner of the target counts.
 */
export async function readPrivateKey(path: string): Promise<Buffer> {
  await using file = await open(path);
  const stat = await file.stat();
  requireOwner(path, stat);
  if ((stat.mode & 0o022) !== 0) {
    throw refused(
      path,
      'may be written by other users',
      'The key cannot be trusted: replace it and run chmod 600 on it.',
    );
  }
  if ((stat.mode & 0o007) !== 0) {
    try {
      await file.chmod(stat.mode & 0o770);
    } catch (cause) {
      throw refused(
        path,
        'may be read by everybody',
        'Run chmod 600 on it; for a mounted secret set defaultMode: 0400.',
        cause,
      );
    }
  }
  return file.readFile();
}

/**
 * Creates the directory of a socket, or checks an existing one: a real directory of this user or of root, in which
 * others cannot replace our socket. Its group may have access, as the socket itself allows.
 */
export function requireSocketDirectory(path: string): void {
  let stat;
  try {
    makeDirectory(path, 0o755);
    stat = lstatSync(path);
  } catch (error) {
    throw toDragonflyError(error);
  }
  const elsewhere = 'Configure the socket in a directory of the user this service runs as.';
  if (!stat.isDirectory()) throw refused(path, 'is a link, not a directory', elsewhere);
  requireOwner(path, stat);
  const sticky = (stat.mode & 0o1000) !== 0;
  if ((stat.mode & 0o002) !== 0 && !sticky) throw refused(path, 'may be written by every user', elsewhere);
}

function requireOwner(path: string, { uid }: Stats): void {
  const own = process.geteuid?.();
  if (own === undefined || uid === own || uid === 0) return;
  throw refused(path, `belongs to user ${uid}, not to ${own}`, 'Give it to the user this service runs as.');
}

function refused(path: string, what: string, hint: string, cause?: unknown): DragonflyError {
  return new DragonflyError('PERMISSION_DENIED', `${path} ${what}`, { hint, cause });
}
