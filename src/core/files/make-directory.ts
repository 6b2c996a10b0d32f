/** `mkdir -p` for a path named by a user. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DragonflyError } from '../errors.ts';

/**
 * Node's recursive mkdir loops for ever where a directory reports ENOENT for new entries, as /proc does. Throws the
 * system's error. Existing directories stay as they are.
 */
export function makeDirectory(path: string, mode = 0o777): void {
  const missing: string[] = [];
  let at = resolve(path);
  while (!exists(at)) {
    missing.push(at);
    at = dirname(at);
  }
  for (const directory of missing.reverse()) makeOne(directory, mode);
  // The path exists as something else: the system reports how.
  if (missing.length === 0 && !isDirectory(path)) mkdirSync(path);
}

function makeOne(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Another process may have been faster.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && isDirectory(path)) return;
    if (code === 'ENOENT' && isDirectory(dirname(path)))
      throw new DragonflyError('PERMISSION_DENIED', `${dirname(path)} takes no directories`, {
        hint: 'Choose another directory.',
        cause: error,
      });
    throw error;
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
