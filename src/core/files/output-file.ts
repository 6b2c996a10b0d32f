/**
 * Where finished content goes, for tools that write it and for the daemon that places it.
 *
 * A regular file gets the whole content or stays unchanged: bytes go to a temporary file beside it, which is then
 * renamed over it. Symbolic links are followed, as by curl and cp. A device or FIFO is opened and written to, never
 * replaced: a rename would turn the machine's /dev/null into a file.
 */
import { randomUUID } from 'node:crypto';
import {
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  open as openFd,
  readlinkSync,
  statSync,
  type Stats,
} from 'node:fs';
import { access, copyFile, link, open, realpath, rename } from 'node:fs/promises';
import { Socket } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { DragonflyError, toDragonflyError, type ErrorCode } from '../errors.ts';
import { onAbort } from '../process/lifecycle.ts';

export interface OutputTarget {
  /** `special`: a device or a FIFO, which takes the bytes in order and is never replaced. */
  readonly kind: 'file' | 'special';
  /** For a file: absolute, with symbolic links resolved. */
  readonly path: string;
}

/** The kernel's own limit. */
const maxLinks = 40;

/** Poll interval for a reader of a FIFO: the kernel does not notify the writer. */
const fifoPollMs = 50;

/** Checks only, creates nothing. Throws OUTPUT when the path cannot be written, or exists and `overwrite` is false. */
export async function outputTarget(outputPath: string, overwrite: boolean): Promise<OutputTarget> {
  const path = resolve(outputPath);
  try {
    const standing = standingAt(path);
    if (standing && isSpecial(standing)) return { kind: 'special', path };
    if (!overwrite && standing) throw exists(path); // resolves links, which may point to a path that does not exist yet
    const target = await followed(path);
    const directory = dirname(target);
    if (!existsSync(directory)) {
      throw new DragonflyError('OUTPUT', `the directory ${directory} does not exist`, { hint: 'Create it first.' });
    }
    await access(directory, constants.W_OK);
    return { kind: 'file', path: target };
  } catch (error) {
    throw outputError(path, error);
  }
}

/** A name for the temporary file beside `path`. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.part`);
}

/** Renames the finished file into place. Throws OUTPUT when something that must not be replaced has appeared there. */
export async function publish(temporary: string, path: string, overwrite: boolean): Promise<void> {
  requireReplaceable(path);
  try {
    if (!overwrite)
      await link(temporary, path); // unlike rename, never replaces a file made in the meantime
    else await rename(temporary, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw exists(path);
    if (overwrite && code === 'EBUSY') return copyFile(temporary, path); // the target is a file mounted into a container
    if (overwrite || existsSync(path)) throw overwrite ? error : exists(path);
    await rename(temporary, path); // file systems without links: only the earlier check protects existing files
  }
}

/** Throws OUTPUT when renaming over the path would destroy more than a file. */
export function requireReplaceable(path: string): void {
  const standing = standingAt(path);
  if (!standing || standing.isFile()) return;
  throw new DragonflyError('OUTPUT', `the output ${path} has become a device or a FIFO`, { hint: 'Try again.' });
}

/** Opens a device or FIFO for writing. Waits for the FIFO's reader until the signal aborts, which also ends every later write. */
export async function openSpecial(path: string, signal: AbortSignal): Promise<Writable> {
  try {
    const out = statSync(path).isFIFO() ? await openFifo(path, signal) : await openDevice(path);
    out.on('error', () => undefined); // every write reports its own failure
    const listening = onAbort(signal, () => void out.destroy(signal.reason as Error));
    out.once('close', () => listening[Symbol.dispose]());
    return out;
  } catch (error) {
    throw outputError(path, error);
  }
}

const ofTheFileSystem: ReadonlySet<ErrorCode> = new Set(['INTERNAL', 'PERMISSION_DENIED', 'STORAGE', 'NO_SPACE']);

/** Converts a file system error to OUTPUT or NO_SPACE with a hint; others are unchanged. */
export function outputError(path: string, error: unknown): DragonflyError {
  const known = toDragonflyError(error);
  const isBadPath = known.code === 'INVALID_ARGUMENT' && known !== error; // in the system's words
  if ((!ofTheFileSystem.has(known.code) && !isBadPath) || known.message.startsWith('the output ')) return known;
  const full = known.code === 'NO_SPACE';
  return new DragonflyError(full ? 'NO_SPACE' : 'OUTPUT', `the output ${path} cannot be written: ${reason(known)}`, {
    cause: error,
    hint: full ? 'Free space there, or name another place.' : (known.hint ?? 'Check the path and its file system.'),
  });
}

/** Strips the system's own code and names: `ENOTDIR: not a directory, lstat '/x'`. */
function reason({ message }: DragonflyError): string {
  return message.replace(/(?:^|: )E[A-Z]+: ([^,]+), \w+(?: '.*)?$/, (_, said: string, at: number) =>
    at === 0 ? said : '',
  );
}

/** What exists at the end of symbolic links. Throws OUTPUT for what can never receive content. */
function standingAt(path: string): Stats | undefined {
  const standing = statSync(path, { throwIfNoEntry: false });
  if (standing?.isDirectory()) {
    throw new DragonflyError('OUTPUT', `the output ${path} is a directory`, {
      hint: 'Name a file, or add --recursive for everything below a URL.',
    });
  }
  if (standing?.isSocket()) {
    throw new DragonflyError('OUTPUT', `the output ${path} is a socket`, { hint: 'Name a file, a FIFO or a device.' });
  }
  return standing;
}

function isSpecial(stats: Stats): boolean {
  return stats.isCharacterDevice() || stats.isBlockDevice() || stats.isFIFO();
}

/** The path with symbolic links resolved; it need not exist yet. */
async function followed(path: string): Promise<string> {
  let current = path;
  for (let links = 0; links < maxLinks; links += 1) {
    if (!lstatSync(current, { throwIfNoEntry: false })?.isSymbolicLink()) return current;
    if (existsSync(current)) return realpath(current);
    current = resolve(dirname(current), readlinkSync(current));
  }
  throw new DragonflyError('OUTPUT', `the output ${path} is a loop of symbolic links`);
}

/** Never opened in blocking mode, which would occupy a thread until a reader comes, beyond every deadline. */
async function openFifo(path: string, signal: AbortSignal): Promise<Writable> {
  for (;;) {
    try {
      const fd = await promisify(openFd)(path, constants.O_WRONLY | constants.O_NONBLOCK);
      if (fstatSync(fd).isFIFO()) return new Socket({ fd, readable: false, writable: true });
      throw new DragonflyError('OUTPUT', `the output ${path} is no FIFO any more`, { hint: 'Try again.' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    signal.throwIfAborted();
    await delay(fifoPollMs);
  }
}

async function openDevice(path: string): Promise<Writable> {
  const file = await open(path, constants.O_WRONLY | constants.O_NOCTTY);
  return file.createWriteStream();
}

function exists(path: string): DragonflyError {
  return new DragonflyError('OUTPUT', `the output ${path} exists`, { hint: 'Remove it, or add --overwrite.' });
}
