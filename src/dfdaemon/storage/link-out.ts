/**
 * Places finished content at a path outside the store: hard link, then reflink, then copy.
 *
 * A hard link shares its bytes with the store, so a user who edits his file edits ours. Two rules keep that harmless:
 * at most one name is linked out at a time (a second output is a reflink or copy, so no user's edit reaches another
 * user's file), and the file's stamp (size, modification and change time) is recorded at the link and compared before
 * any piece is served or placed again. A changed file is taken out of use, gets an inode of its own, and is verified
 * piece by piece before it is used again.
 */
import { constants, createReadStream, linkSync, renameSync, rmSync } from 'node:fs';
import { chmod, chown, copyFile, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { DragonflyError } from '../../core/errors.ts';
import {
  openSpecial,
  outputError,
  outputTarget,
  publish,
  requireReplaceable,
  temporaryBeside,
} from '../../core/files/output-file.ts';
import { specialOutputTimeoutMs } from './limits.ts';
import type { StoredTask } from './stored-task.ts';

export interface LinkOutOptions {
  /** Replace an existing file (default false: OUTPUT error). */
  readonly overwrite?: boolean;
  /** A hard link may be made (default true). */
  readonly mayLink?: boolean | undefined;
  /** Fail when no hard link is possible. */
  readonly forceHardLink?: boolean;
  /** Permission bits of the output; default 0644. Any others require a file of its own instead of a hard link. */
  readonly mode?: number;
  /** Owner that the output must have; an owner other than this process requires a file of its own. */
  readonly uid?: number;
  readonly gid?: number;
  /** Aborts writing into a device or FIFO, which may block. */
  readonly signal?: AbortSignal;
}

export type LinkMethod = 'hard-link' | 'reflink' | 'copy';

const contentMode = 0o644;

/** Atomic: a file has the whole content or is untouched. Throws OUTPUT, NO_SPACE. */
export async function linkOut(task: StoredTask, outputPath: string, options: LinkOutOptions = {}): Promise<LinkMethod> {
  using _pin = task.pin();
  await requireIntact(task);
  const overwrite = options.overwrite ?? false;
  const { kind, path } = await outputTarget(outputPath, overwrite);
  if (kind === 'special') return writeInto(task, path, options);
  const temporary = temporaryBeside(path);
  try {
    if (mayHardLink(task, options) && hardLink(task, path, temporary, options)) return 'hard-link';
    const method = await copyOut(task.content.path, temporary);
    await chmod(temporary, options.mode ?? contentMode);
    if (options.uid !== undefined || options.gid !== undefined) {
      await chown(temporary, options.uid ?? process.geteuid?.() ?? 0, options.gid ?? process.getegid?.() ?? 0);
    }
    await publish(temporary, path, overwrite);
    return method;
  } catch (error) {
    throw outputError(path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function writeInto(task: StoredTask, path: string, { forceHardLink, signal }: LinkOutOptions): Promise<'copy'> {
  if (forceHardLink) throw new DragonflyError('OUTPUT', `the output ${path} is no file: it cannot be a hard link`);
  const deadline = AbortSignal.timeout(specialOutputTimeoutMs);
  const out = await openSpecial(path, signal ? AbortSignal.any([signal, deadline]) : deadline);
  try {
    await pipeline(createReadStream(task.content.path), out);
  } catch (error) {
    throw outputError(path, error);
  }
  return 'copy';
}

/** Requires complete, unmodified content; modified content is verified first. */
export async function requireIntact(task: StoredTask): Promise<void> {
  if (task.touchedFromOutside()) task.suspect();
  await task.recovered;
  if (task.state === 'finished' && task.complete) return;
  throw new DragonflyError('FAILED_PRECONDITION', `task ${task.id} is not finished: it cannot be written to an output`);
}

function mayHardLink(task: StoredTask, options: LinkOutOptions): boolean {
  if (options.forceHardLink) return true;
  if (options.mayLink === false) return false;
  const ownFile =
    (options.mode !== undefined && options.mode !== contentMode) ||
    (options.uid !== undefined && options.uid !== process.geteuid?.()) ||
    (options.gid !== undefined && options.gid !== process.getegid?.());
  return !ownFile && task.content.stamp()?.links === 1;
}

/** Synchronous, so that no piece is served between the link and its stamp. False when links are not possible. */
function hardLink(task: StoredTask, path: string, temporary: string, options: LinkOutOptions): boolean {
  task.record.change({ linkStamp: 'linking' }); // after a crash before the real stamp is written, this stamp matches no file
  try {
    if (options.overwrite) {
      linkSync(task.content.path, temporary);
      requireReplaceable(path);
      renameSync(temporary, path);
      rmSync(temporary, { force: true }); // rename does nothing when both names already refer to the same file
    } else linkSync(task.content.path, path);
    return true;
  } catch (error) {
    if (options.forceHardLink) throw error;
    return false;
  } finally {
    const stamp = task.content.stamp();
    task.record.change({ linkStamp: stamp && stamp.links > 1 ? stamp.text : null, stamp: stamp?.text ?? null });
  }
}

async function copyOut(from: string, to: string): Promise<LinkMethod> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE);
    return 'reflink';
  } catch {
    await rm(to, { force: true });
    await copyFile(from, to, constants.COPYFILE_EXCL);
    return 'copy';
  }
}
