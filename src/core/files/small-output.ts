/**
 * Small files by the hundred: the rules of output-file.ts with as few system calls as they can be kept with. The bytes are all there, so
 * nothing is waited for.
 */
import { closeSync, linkSync, lstatSync, openSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { outputError, temporaryBeside } from './output-file.ts';

/**
 * The file has the whole content afterwards. False, and nothing was done, where something stands there that is to be looked at with care: a
 * link, a device, or a file that must not be replaced. Throws OUTPUT, NO_SPACE.
 */
export function writeSmallFile(path: string, content: Uint8Array, overwrite: boolean): boolean {
  const temporary = temporaryBeside(path);
  try {
    if (overwrite && !isPlainOrNothing(path)) return false;
    fill(temporary, content);
    return overwrite ? replaced(temporary, path) : linked(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw outputError(path, error);
  }
}

function replaced(temporary: string, path: string): boolean {
  try {
    renameSync(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    unlinkSync(temporary); // it is mounted into a container
    return false;
  }
}

function isPlainOrNothing(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() !== false;
}

function fill(path: string, content: Uint8Array): void {
  const fd = openSync(path, 'wx');
  try {
    for (let done = 0; done < content.length;) done += writeSync(fd, content, done);
  } finally {
    closeSync(fd);
  }
}

/** Unlike a rename it never replaces a file that was made in the meantime. */
function linked(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST' || lstatSync(path, { throwIfNoEntry: false });
    if (!isThere)
      renameSync(temporary, path); // file systems without links: the check is all there is
    else unlinkSync(temporary);
    return !isThere;
  }
  unlinkSync(temporary);
  return true;
}
