/** Places content where a local program wants it, with the rights of that program's user. */
import { realpath } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import { outputError } from '../../core/files/output-file.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import { linkOut, requireIntact, type LinkMethod } from './link-out.ts';
import type { StoredTask } from './stored-task.ts';
import { writeAsUser } from './write-as-user.ts';

export interface PlaceOutputOptions {
  readonly caller: Caller;
  readonly overwrite: boolean;
  readonly forceHardLink: boolean;
  /** The output may share its bytes with the store (default true). */
  readonly mayLink?: boolean;
  readonly signal: AbortSignal;
  /** Directories that may contain outputs; anywhere when empty. */
  readonly roots: readonly string[];
}

const outputMode = 0o644;

/**
 * Throws PERMISSION_DENIED for remote callers, for paths outside of the roots, and for users that this daemon cannot act as;
 * otherwise as linkOut.
 */
export async function placeOutput(task: StoredTask, path: string, options: PlaceOutputOptions): Promise<LinkMethod> {
  const { caller, overwrite, forceHardLink, mayLink, signal, roots } = options;
  if (caller.kind !== 'local')
    throw new DragonflyError('PERMISSION_DENIED', 'an output path is only accepted on the unix socket of this node');
  if (!path.startsWith('/')) throw new DragonflyError('INVALID_ARGUMENT', `the output path "${path}" is not absolute`);
  await requireBelow(path, roots);
  const { uid, gid, groups = [] } = caller;
  const own = process.geteuid?.();
  if (own === 0 && (uid === undefined || gid === undefined))
    throw new DragonflyError(
      'PERMISSION_DENIED',
      'this system does not tell who asks, and the daemon may write everywhere',
      {
        hint: 'Add --transfer-from-dfdaemon: then the file is written by the user himself.',
      },
    );
  if (uid === undefined || gid === undefined || uid === own || uid === 0)
    return linkOut(task, path, { overwrite, forceHardLink, mayLink, signal });
  if (own !== 0) {
    throw new DragonflyError(
      'PERMISSION_DENIED',
      `this daemon runs as user ${own} and cannot write files of user ${uid}`,
      {
        hint: 'Add --transfer-from-dfdaemon: then the file is written by the user himself.',
      },
    );
  }
  if (forceHardLink) {
    throw new DragonflyError(
      'OUTPUT',
      `${path} cannot be a hard link: the file would be the daemon's, not of user ${uid}`,
      {
        hint: 'Leave out --force-hard-link.',
      },
    );
  }
  using _pin = task.pin();
  await requireIntact(task);
  await writeAsUser(task.content.path, { uid, gid, groups, path, overwrite, mode: outputMode }, signal);
  return 'copy';
}

async function requireBelow(path: string, roots: readonly string[]): Promise<void> {
  if (roots.length === 0) return;
  let directory: string;
  try {
    directory = await realpath(dirname(resolve(path)));
  } catch (error) {
    throw outputError(path, error);
  }
  const real = await Promise.all(roots.map((root) => realpath(root).catch(() => resolve(root))));
  if (real.some((root) => directory === root || directory.startsWith(root.endsWith(sep) ? root : root + sep))) return;
  throw new DragonflyError('PERMISSION_DENIED', `${path} is outside of the directories for outputs`, {
    hint: `Allowed by download.outputRoots: ${roots.join(', ')}.`,
  });
}
