/** Files that are executed, or trusted, with all rights of this process. */
import { statSync } from 'node:fs';
import { DragonflyError } from '../errors.ts';

/** Throws PERMISSION_DENIED unless the path belongs to root or this process's user and nobody else can write it. */
export function requireTrusted(path: string): void {
  const { uid, mode } = statSync(path);
  if ((uid === 0 || uid === process.geteuid?.()) && (mode & 0o022) === 0) return;
  throw new DragonflyError('PERMISSION_DENIED', `the plug-in ${path} may be written by other users and is not loaded`, {
    hint: 'Give it to root and take the right to write from everybody else.',
  });
}
