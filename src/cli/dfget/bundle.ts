/**
 * A bundle by the daemon of this node: one task, whose content is then taken apart into the files it is made of, by this process and so with
 * the rights of its user. Nothing is written before all of it is here and was compared: nodes may have given what turns out to be wrong.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { ByteRange } from '../../core/byte-range.ts';
import type { Bundle } from '../../core/bundle/bundle.ts';
import { hasListedDigest } from '../../core/bundle/listed-digest.ts';
import { crc32 } from '../../core/crc32.ts';
import { DragonflyError } from '../../core/errors.ts';
import { makeDirectory } from '../../core/files/make-directory.ts';
import { outputError, temporaryBeside } from '../../core/files/output-file.ts';
import { writeSmallFile } from '../../core/files/small-output.ts';
import type { Piece } from '../../../gen/common/v2/common.ts';
import type { ContentSink } from '../output-file.ts';
import { follow, type DaemonClient, type FileDownload, type FileResult } from './download.ts';
import type { BundleWork } from './recursive.ts';

export interface BundleTarget {
  readonly work: BundleWork;
  /** Existing directory in which the content may be gathered. */
  readonly directory: string;
  /** The daemon is of this user: its store can be read. */
  readonly readsStore: boolean;
  readonly overwrite: boolean;
  /** For what stands at a path already and is to be treated with care. */
  readonly openSink: (path: string) => Promise<ContentSink>;
  readonly onFile: (index: number) => void;
}

export async function downloadBundle(
  client: DaemonClient,
  download: FileDownload,
  target: BundleTarget,
): Promise<FileResult> {
  const { bundle } = target.work;
  const apart = new TakingApart(target, download.signal);
  const stored = target.readsStore ? await fromStore(client, download, { bundle, apart }) : undefined;
  const result = stored ?? (await bySocket(client, download, { bundle, apart, directory: target.directory }));
  return { ...result, files: bundle.files.length };
}

interface Unpacking {
  readonly bundle: Bundle;
  readonly apart: TakingApart;
}

/** The daemon's own file is read: the bytes need not pass through its socket. Undefined when there is no such file here. */
async function fromStore(
  client: DaemonClient,
  download: FileDownload,
  { bundle, apart }: Unpacking,
): Promise<FileResult | undefined> {
  using file = new StoreFile();
  const result = await follow(client, download, { bundle: bundle.packed, tellContentFile: true }, async (piece, told) =>
    file.add(piece, told.contentFile),
  );
  requireWhole(result.contentLengthBytes, bundle);
  requireAll(file.ranges(), bundle);
  try {
    await apart.take(file.pieces());
    return result;
  } catch (error) {
    if (error instanceof NotInStore) return undefined;
    throw error;
  }
}

/** The daemon sends the bytes. */
async function bySocket(
  client: DaemonClient,
  download: FileDownload,
  { bundle, apart, directory }: Unpacking & Pick<BundleTarget, 'directory'>,
): Promise<FileResult> {
  const gathered = temporaryBeside(join(directory, 'bundle'));
  const file = await open(gathered, 'wx+', 0o600).catch((error: unknown) => {
    throw outputError(directory, error);
  });
  try {
    const more = { bundle: bundle.packed, needPieceContent: true };
    const received = new Map<number, number>();
    const result = await follow(client, download, more, async ({ offset, content, length }) => {
      if (content?.length !== length)
        throw new DragonflyError('PROTOCOL', 'the dfdaemon sent a piece without its content');
      try {
        for (let done = 0; done < length;)
          done += (await file.write(content, done, length - done, offset + done)).bytesWritten;
        received.set(offset, length);
      } catch (error) {
        throw outputError(directory, error);
      }
    });
    requireWhole(result.contentLengthBytes, bundle);
    requireAll(
      Array.from(received, ([start, length]) => ({ start, length })),
      bundle,
    );
    await apart.take(partsOf(file.fd, bundle.lengthBytes));
    return result;
  } finally {
    await file.close();
    await rm(gathered, { force: true });
  }
}

function requireWhole(lengthBytes: number, bundle: Bundle): void {
  if (lengthBytes === bundle.lengthBytes) return;
  throw new DragonflyError('PROTOCOL', `the dfdaemon gave ${lengthBytes} bytes for a bundle of ${bundle.lengthBytes}`);
}

/** What has come is all of it, with no gap that would be read as zeros or as what lies behind. */
function requireAll(ranges: readonly ByteRange[], { lengthBytes }: Bundle): void {
  let end = 0;
  for (const { start, length } of ranges.toSorted((a, b) => a.start - b.start)) {
    if (start !== end) break;
    end += length;
  }
  if (end === lengthBytes) return;
  throw new DragonflyError('PROTOCOL', `the dfdaemon gave the bytes of a bundle up to ${end} only, of ${lengthBytes}`);
}

/** Files that are written between two looks at what else has happened. */
const filesPerTurn = 32;

/** The files one after the other, from the content in its order. */
class TakingApart {
  readonly #target: BundleTarget;
  readonly #signal: AbortSignal;
  readonly #made = new Set<string>();
  /** Files that are in their places. */
  #placed = 0;

  constructor(target: BundleTarget, signal: AbortSignal) {
    this.#target = target;
    this.#signal = signal;
  }

  /** What broke off before goes on where it was. */
  async take(parts: Iterable<Buffer>): Promise<void> {
    const { work, onFile } = this.#target;
    const content = new Content(parts);
    for (const [index, { path, lengthBytes, digest }] of work.bundle.files.entries()) {
      const bytes = content.take(lengthBytes);
      if (index < this.#placed) continue;
      if (index % filesPerTurn === 0) await turn();
      this.#signal.throwIfAborted();
      if (digest !== undefined && !hasListedDigest(bytes, digest))
        throw new DragonflyError('DIGEST_MISMATCH', `${path} is not what its directory lists: ${digest}`);
      await this.#write(work.paths[index] ?? '', bytes);
      this.#placed = index + 1;
      onFile(index);
    }
  }

  async #write(path: string, bytes: Buffer): Promise<void> {
    const { overwrite, openSink } = this.#target;
    const directory = dirname(path);
    if (!this.#made.has(directory)) {
      makeDirectory(directory);
      this.#made.add(directory);
    }
    if (!writeSmallFile(path, bytes, overwrite)) await writeWithCare(openSink, path, bytes);
  }
}

async function writeWithCare(openSink: BundleTarget['openSink'], path: string, bytes: Buffer): Promise<void> {
  await using sink = await openSink(path);
  await sink.write(0, bytes);
  await sink.finish(bytes.length);
}

/** Bytes in their order, whatever parts they come in. What is taken is good until more is taken, and so is a part until the next. */
class Content {
  readonly #parts: Iterator<Buffer>;
  #part: Buffer = Buffer.alloc(0);

  constructor(parts: Iterable<Buffer>) {
    this.#parts = parts[Symbol.iterator]();
  }

  take(bytes: number): Buffer {
    if (this.#part.length >= bytes) return this.#cut(bytes);
    const taken = Buffer.allocUnsafe(bytes);
    for (let done = 0; done < bytes;) {
      if (this.#part.length === 0) this.#part = this.#next();
      done += this.#cut(Math.min(bytes - done, this.#part.length)).copy(taken, done);
    }
    return taken;
  }

  #cut(bytes: number): Buffer {
    const cut = this.#part.subarray(0, bytes);
    this.#part = this.#part.subarray(bytes);
    return cut;
  }

  #next(): Buffer {
    const next = this.#parts.next();
    if (next.done === true) throw new DragonflyError('PROTOCOL', 'the content of a bundle ends early');
    return next.value;
  }
}

/** What a daemon told of its store is not here: it sees another file system, or has changed it since. */
class NotInStore extends DragonflyError {}

/** The daemon's file, held open: the daemon may let go of it as soon as it has given everything. */
class StoreFile implements Disposable {
  readonly #pieces = new Map<number, Piece>();
  #fd: number | undefined;

  add(piece: Piece, path: string | undefined): void {
    this.#pieces.set(piece.offset, piece);
    if (this.#fd !== undefined || path === undefined) return;
    try {
      this.#fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch {
      // found when it is read
    }
  }

  ranges(): ByteRange[] {
    return this.#inOrder().map(({ offset: start, length }) => ({ start, length }));
  }

  *pieces(): Generator<Buffer> {
    const reader = new Reader();
    for (const { offset, length, digest } of this.#inOrder()) {
      const bytes = this.#fd === undefined ? undefined : reader.at(this.#fd, offset, length);
      if (!bytes || digest !== `crc32:${crc32(bytes)}`)
        throw new NotInStore('STORAGE', 'the store of the dfdaemon is not to be read here');
      yield bytes;
    }
  }

  #inOrder(): Piece[] {
    return [...this.#pieces.values()].toSorted((a, b) => a.offset - b.offset);
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

const partBytes = 4 * 2 ** 20;

/** From a file of its caller's, who closes it: whoever takes the last part does not come back to let this end. */
function* partsOf(fd: number, lengthBytes: number): Generator<Buffer> {
  const reader = new Reader();
  for (let at = 0; at < lengthBytes; at += partBytes) {
    const part = reader.at(fd, at, Math.min(partBytes, lengthBytes - at));
    if (!part) throw new DragonflyError('OUTPUT', 'what was gathered of a bundle has become shorter while it was read');
    yield part;
  }
}

/** Reads into one buffer: new ones of that size cost more than what is read into them. */
class Reader {
  #buffer = Buffer.alloc(0);

  /** Undefined where the file ends before. */
  at(fd: number, offset: number, length: number): Buffer | undefined {
    if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length;) {
      const count = readSync(fd, this.#buffer, done, length - done, offset + done);
      if (count === 0) return undefined;
      done += count;
    }
    return this.#buffer.subarray(0, length);
  }
}
