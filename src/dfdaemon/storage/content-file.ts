/** The file that holds a task's bytes at their final offsets; open only while somebody uses it. */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  read,
  write,
  writev,
  rmSync,
  type BigIntStats,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { writePartBytes } from './write-part.ts';

const fdatasyncAsync = promisify(fdatasync);
const flags = constants.O_RDWR | constants.O_NOFOLLOW;

/**
 * 0644 makes a hard link to it an ordinary file for its reader; nobody else reaches the file itself, since the storage
 * directory is 0700.
 */
const mode = 0o644;

/** Unit of `stat`, and the space a file may have beyond its length. */
const statBlockBytes = 512n;
const spareBytes = 32n * 1024n;

/** One user's hold on the open file. */
export interface FileUse {
  readonly fd: number;
  /**
   * Writes all of the buffers one after the other from `position`. A file has one write at a time: a second one would
   * only spin on the inode lock, which costs a processor and gains nothing.
   */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Must be called once; the file is closed when its last user releases it. */
  release(): void;
}

interface OpenFile {
  readonly fd: number;
  users: number;
  /** Settles (never rejects) when the file is free for the next write. */
  lastWrite: Promise<void>;
}

export class ContentFile {
  readonly path: string;
  readonly #relieve: (bytes: number) => Promise<boolean>;
  #open: OpenFile | undefined;
  /** The file's own timestamp of the last write by this object. */
  #writtenNs: bigint | undefined;
  #isWriting = false;
  #isForeign = false;

  /** @param relieve called when the disk is full: frees this many bytes; false when it cannot. */
  constructor(path: string, relieve: (bytes: number) => Promise<boolean>) {
    this.path = path;
    this.#relieve = relieve;
  }

  /** Opens the file, or shares it with those who have it open. `create` makes a missing one; otherwise that is an error. */
  acquire(create = false): FileUse {
    let file = this.#open;
    if (!file) {
      try {
        file = { fd: openContent(this.path, create), users: 0, lastWrite: Promise.resolve() };
      } catch (error) {
        throw toDragonflyError(error);
      }
      this.#open = file;
    }
    const held = file;
    held.users += 1;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      held.users -= 1;
      if (held.users > 0) return;
      if (this.#open === held) this.#open = undefined;
      closeSync(held.fd);
    };
    const write = (buffers: readonly Uint8Array[], position: number): Promise<void> => {
      const turn = held.lastWrite.then(() => this.#write(held.fd, buffers, position));
      held.lastWrite = turn.catch(() => undefined);
      return turn;
    };
    return { fd: held.fd, write, release };
  }

  /**
   * Somebody else has written to the file since it was opened for the first write, or since the last call. Missed while
   * an own write is running, and within one tick of the kernel's clock after it.
   */
  get hasForeignWrites(): boolean {
    if (!this.#isWriting) this.#compareStamp(this.#mtimeNs());
    return this.#isForeign;
  }

  /** Like hasForeignWrites, but resets it: the caller examines the content. */
  takeForeignWrites(): boolean {
    const isForeign = this.hasForeignWrites;
    this.#isForeign = false;
    if (isForeign) this.#writtenNs = this.#mtimeNs();
    return isForeign;
  }

  #mtimeNs(): bigint | undefined {
    return lstatSync(this.path, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
  }

  #compareStamp(mtimeNs: bigint | undefined): void {
    if (this.#writtenNs !== undefined && mtimeNs !== this.#writtenNs) this.#isForeign = true;
  }

  async #write(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
    this.#compareStamp(fstatSync(fd, { bigint: true }).mtimeNs);
    this.#isWriting = true;
    try {
      await this.#writeWithRelief(fd, buffers, position);
    } finally {
      this.#writtenNs = fstatSync(fd, { bigint: true }).mtimeNs;
      this.#isWriting = false;
    }
  }

  async #writeWithRelief(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
    try {
      await writeFully(fd, buffers, position);
    } catch (error) {
      const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
      if (toDragonflyError(error).code !== 'NO_SPACE' || !(await this.#relieve(bytes))) throw error;
      await writeFully(fd, buffers, position);
    }
  }

  /**
   * Nothing more will be written. Makes sure that the file exists, and releases the space that some file systems, such as xfs,
   * have allocated beyond its end.
   */
  end(): void {
    const use = this.acquire(true);
    try {
      const { size, blocks, mtimeNs } = fstatSync(use.fd, { bigint: true });
      if (blocks * statBlockBytes <= size + spareBytes) return;
      this.#compareStamp(mtimeNs);
      ftruncateSync(use.fd, Number(size));
      this.#writtenNs = this.#mtimeNs();
    } catch (error) {
      throw toDragonflyError(error);
    } finally {
      use.release();
    }
  }

  /** Another file now has this name: new users open that one, present users keep the old one. */
  renewed(): void {
    this.#open = undefined;
    this.#writtenNs = undefined;
  }

  /** Runs the work with the file open. */
  async with<T>(work: (fd: number) => Promise<T>): Promise<T> {
    const use = this.acquire();
    try {
      return await work(use.fd);
    } catch (error) {
      throw toDragonflyError(error);
    } finally {
      use.release();
    }
  }

  async sync(): Promise<void> {
    await this.with((fd) => fdatasyncAsync(fd));
  }

  /** Identifies the file and its last change; undefined when there is no file. */
  stamp(): FileStamp | undefined {
    const stat = lstatSync(this.path, { bigint: true, throwIfNoEntry: false });
    return stat && stampOf(stat);
  }
}

export function stampOf(stat: BigIntStats): FileStamp {
  return {
    links: Number(stat.nlink),
    sizeBytes: Number(stat.size),
    text: `${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`,
  };
}

export interface FileStamp {
  readonly links: number;
  readonly sizeBytes: number;
  /** Changes with every write, truncation, link, rename, and change of mode or times. */
  readonly text: string;
}

function openContent(path: string, create: boolean): number {
  try {
    return openSync(path, create ? flags | constants.O_CREAT : flags, mode);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!create || !['ENOENT', 'ELOOP', 'EISDIR'].includes(code)) throw error;
    // A link or a directory in the place of the file is none of the store's, and would keep the content away for ever.
    if (code !== 'ENOENT') rmSync(path, { recursive: true, force: true });
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openSync(path, flags | constants.O_CREAT, mode);
  }
}

/** Writes in parts of `writePartBytes`; short writes are continued. */
function writeFully(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let rest: readonly Uint8Array[] = buffers;
    let offset = position;
    const next = (): void => {
      const bytes = rest.reduce((sum, buffer) => sum + buffer.length, 0);
      const [first, ...others] = firstBytes(rest, writePartBytes(offset, bytes, performance.now()));
      if (first === undefined) return resolve();
      if (others.length === 0) write(fd, first, 0, first.length, offset, done);
      else writev(fd, [first, ...others], offset, done);
    };
    const done = (error: NodeJS.ErrnoException | null, written: number): void => {
      if (error) return reject(toDragonflyError(error));
      if (written === 0) return reject(new DragonflyError('STORAGE', 'the disk took no bytes'));
      offset += written;
      rest = withoutFirst(rest, written);
      next();
    };
    next();
  });
}

/** As many buffers as hold at most this many bytes; the last one may be cut. */
function firstBytes(buffers: readonly Uint8Array[], most: number): Uint8Array[] {
  const taken: Uint8Array[] = [];
  for (let left = most; left > 0;) {
    const buffer = buffers[taken.length];
    if (buffer === undefined) break;
    taken.push(buffer.length <= left ? buffer : buffer.subarray(0, left));
    left -= buffer.length;
  }
  return taken;
}

function withoutFirst(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (skip >= buffer.length) skip -= buffer.length;
    else {
      rest.push(skip === 0 ? buffer : buffer.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}

/** Fills the buffer from `position`; resolves with the bytes read, fewer only at the end of the file. */
export function readFully(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let filled = 0;
    const next = (): void => read(fd, buffer, filled, buffer.length - filled, position + filled, done);
    const done = (error: NodeJS.ErrnoException | null, count: number): void => {
      if (error) return reject(toDragonflyError(error));
      filled += count;
      if (count === 0 || filled === buffer.length) return resolve(filled);
      next();
    };
    next();
  });
}
