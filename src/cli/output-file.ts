/**
 * Writes a download's bytes in this process. In the end the path has the whole verified content, or is untouched: the
 * bytes are first written to an unnamed file in the same directory.
 */
import { createReadStream } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { DigestStream, formatDigest, sameDigest, type Digest } from '../core/digest.ts';
import { DragonflyError } from '../core/errors.ts';
import { longestWriteBytes } from '../core/files/longest-write.ts';
import { outputError, publish, temporaryBeside } from '../core/files/output-file.ts';

/** Takes the bytes of one download, in any order. */
export interface ContentSink extends AsyncDisposable {
  /** @param position of the first byte in the output. */
  write(position: number, bytes: Buffer): Promise<void>;
  /** Call when all `lengthBytes` are written: verifies the content and publishes it. Disposing before that leaves nothing behind. */
  finish(lengthBytes: number): Promise<void>;
}

export interface OutputOptions {
  readonly overwrite: boolean;
  readonly digest: Digest | undefined;
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
    const temporary = temporaryBeside(path);
    try {
      return new FileSink(path, temporary, options, await open(temporary, 'wx'));
    } catch (error) {
      throw outputError(path, error);
    }
  }

  async write(position: number, bytes: Buffer): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) {
        const count = Math.min(bytes.length - done, longestWriteBytes);
        done += (await this.#file.write(bytes, done, count, position + done)).bytesWritten;
      }
    } catch (error) {
      throw outputError(this.#path, error);
    }
  }

  async finish(): Promise<void> {
    const { digest, overwrite } = this.#options;
    if (digest) await verifyFile(this.#temporary, digest);
    try {
      await this.#file.close(); // reports errors that the file system has deferred
      await publish(this.#temporary, this.#path, overwrite);
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

/** Throws DIGEST_MISMATCH when the streamed bytes are not the expected content. */
export function requireDigest(stream: DigestStream, wanted: Digest): void {
  const found = stream.finish();
  if (sameDigest(found, wanted)) return;
  throw new DragonflyError('DIGEST_MISMATCH', `the content has ${formatDigest(found)}, not ${formatDigest(wanted)}`, {
    hint: 'Check the digest given with --digest; if it is right, the origin has other content.',
  });
}
