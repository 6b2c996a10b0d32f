/**
 * Where a download's bytes go when this process writes them itself. The path has the whole verified content in the end,
 * or is untouched: bytes are gathered in a nameless neighbour of the output first.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream, existsSync, lstatSync, type Stats } from 'node:fs';
import { access, constants, link, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DigestStream, formatDigest, sameDigest, type Digest } from '../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';

/** Takes the bytes of one download, in any order. */
export interface ContentSink extends AsyncDisposable {
  /** @param position of the first byte, counted from the beginning of what is written out. */
  write(position: number, bytes: Buffer): Promise<void>;
  /** All `lengthBytes` are written: verifies and publishes them. Disposing before leaves nothing behind. */
  finish(lengthBytes: number): Promise<void>;
}

export interface OutputOptions {
  readonly overwrite: boolean;
  readonly digest: Digest | undefined;
}

/** Throws OUTPUT when the file could not be written; nothing is created. */
export async function checkOutput(path: string, overwrite: boolean): Promise<void> {
  const directory = dirname(path);
  if (!existsSync(directory)) {
    throw new DragonflyError('OUTPUT', `the directory ${directory} does not exist`, { hint: 'Create it first.' });
  }
  const standing: Stats | undefined = lstatSync(path, { throwIfNoEntry: false });
  if (standing?.isDirectory()) {
    throw new DragonflyError('OUTPUT', `the output ${path} is a directory`, {
      hint: 'Name a file, or add --recursive for everything below a URL.',
    });
  }
  if (standing && !overwrite) throw exists(path);
  try {
    await access(directory, constants.W_OK);
  } catch (error) {
    throw outputError(path, error);
  }
}

export class FileSink implements ContentSink {
  readonly #path: string;
  readonly #temporary: string;
  readonly #options: OutputOptions;
  readonly #file: FileHandle;

  private constructor(path: string, temporary: string, options: OutputOptions, file: FileHandle) {
    this.#path = path;
    this.#temporary = temporary;
    this.#options = options;
    this.#file = file;
  }

  static async create(path: string, options: OutputOptions): Promise<FileSink> {
    const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.part`);
    try {
      return new FileSink(path, temporary, options, await open(temporary, 'wx'));
    } catch (error) {
      throw outputError(path, error);
    }
  }

  async write(position: number, bytes: Buffer): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) {
        done += (await this.#file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
      }
    } catch (error) {
      throw outputError(this.#path, error);
    }
  }

  async finish(): Promise<void> {
    const { digest, overwrite } = this.#options;
    if (digest) await verifyFile(this.#temporary, digest);
    try {
      await this.#file.close(); // reports what the file system has put off
      if (overwrite) await rename(this.#temporary, this.#path);
      else await publishNew(this.#temporary, this.#path);
    } catch (error) {
      throw outputError(this.#path, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close().catch(() => undefined); // after finish it is closed already
    await rm(this.#temporary, { force: true });
  }
}

export async function verifyFile(path: string, digest: Digest): Promise<void> {
  const stream = new DigestStream(digest.algorithm);
  for await (const block of createReadStream(path, { highWaterMark: 2 ** 20 })) stream.update(block as Buffer);
  requireDigest(stream, digest);
}

/** Throws DIGEST_MISMATCH when what went through the stream is not the wanted content. */
export function requireDigest(stream: DigestStream, wanted: Digest): void {
  const found = stream.finish();
  if (sameDigest(found, wanted)) return;
  throw new DragonflyError('DIGEST_MISMATCH', `the content has ${formatDigest(found)}, not ${formatDigest(wanted)}`, {
    hint: 'Check the digest given with --digest; if it is right, the origin has other content.',
  });
}

async function publishNew(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path); // unlike rename, never replaces a file made in the meantime
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw exists(path);
    if (existsSync(path)) throw exists(path); // file systems without links: the check is all there is
    await rename(temporary, path);
  }
}

function exists(path: string): DragonflyError {
  return new DragonflyError('OUTPUT', `the output ${path} exists`, { hint: 'Remove it, or add --overwrite.' });
}

function outputError(path: string, error: unknown): DragonflyError {
  const known = toDragonflyError(error);
  if (known.code === 'OUTPUT' || known.code === 'NO_SPACE') return known;
  return new DragonflyError('OUTPUT', `the output ${path} cannot be written: ${known.message}`, {
    cause: error,
    hint: known.hint ?? 'Check the path and its file system.',
  });
}
