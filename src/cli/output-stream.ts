/**
 * Writes to standard output, a device or a FIFO, which take bytes in order only. Bytes that arrive early wait in an
 * unnamed file, so that memory stays flat. The last bytes wait until the digest is verified, so that corrupt content
 * never looks complete to the reader.
 */
import { randomUUID } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { DigestStream, type Digest } from '../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import { openSpecial, outputError } from '../core/files/output-file.ts';
import { requireDigest, type ContentSink } from './output-file.ts';

export interface SpecialOptions {
  readonly digest: Digest | undefined;
  readonly onFirstByte: () => void;
  readonly signal: AbortSignal;
}

export class StreamSink implements ContentSink {
  readonly #out: NodeJS.WritableStream;
  readonly #digest: Digest | undefined;
  readonly #onFirstByte: () => void;
  readonly #hash: DigestStream | undefined;
  /** Position → length of the bytes that wait in the spool file. */
  readonly #early = new Map<number, number>();
  #spool: FileHandle | undefined;
  #position = 0;
  #held: Buffer | undefined;
  /** What this sink has opened, and therefore closes. */
  #own: { readonly path: string; readonly out: Writable } | undefined;

  /** @param onFirstByte called before the reader gets anything. */
  constructor(out: NodeJS.WritableStream, digest: Digest | undefined, onFirstByte: () => void) {
    this.#out = out;
    this.#digest = digest;
    this.#onFirstByte = onFirstByte;
    this.#hash = digest && new DigestStream(digest.algorithm);
  }

  /** @param signal ends the wait for a reader of the FIFO, and any write. Throws OUTPUT. */
  static async toSpecial(path: string, options: SpecialOptions): Promise<StreamSink> {
    const out = await openSpecial(path, options.signal);
    const sink = new StreamSink(out, options.digest, options.onFirstByte);
    sink.#own = { path, out };
    return sink;
  }

  async write(position: number, bytes: Buffer): Promise<void> {
    if (position !== this.#position) return this.#keep(position, bytes);
    await this.#pass(bytes);
    for (let length = this.#early.get(this.#position); length; length = this.#early.get(this.#position)) {
      this.#early.delete(this.#position);
      await this.#pass(await this.#read(this.#position, length));
    }
  }

  async finish(lengthBytes: number): Promise<void> {
    if (this.#position !== lengthBytes) {
      throw new DragonflyError('PROTOCOL', `only ${this.#position} of ${lengthBytes} bytes arrived`);
    }
    if (this.#hash && this.#digest) requireDigest(this.#hash, this.#digest);
    if (this.#held) await this.#send(this.#held);
    this.#held = undefined;
    if (this.#own) await end(this.#own);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#own?.out.destroy();
    await this.#spool?.close();
  }

  async #pass(bytes: Buffer): Promise<void> {
    this.#hash?.update(bytes);
    this.#position += bytes.length;
    if (!this.#digest) return this.#send(bytes);
    if (this.#held) await this.#send(this.#held);
    this.#held = Buffer.from(bytes); // the caller reuses its buffer
  }

  /** Resolves when the reader has taken the bytes; rejects when the reader has closed the stream. */
  #send(bytes: Buffer): Promise<void> {
    this.#onFirstByte();
    return new Promise((resolve, reject) => {
      this.#out.write(bytes, (error) => (error ? reject(this.#failure(error)) : resolve()));
    });
  }

  #failure(error: Error): DragonflyError {
    return this.#own ? outputError(this.#own.path, error) : toDragonflyError(error);
  }

  async #keep(position: number, bytes: Buffer): Promise<void> {
    const spool = (this.#spool ??= await createSpool());
    for (let done = 0; done < bytes.length;) {
      done += (await spool.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    }
    this.#early.set(position, bytes.length);
  }

  async #read(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length;) {
      const { bytesRead } = (await this.#spool?.read(bytes, done, length - done, position + done)) ?? { bytesRead: 0 };
      if (bytesRead === 0) throw new DragonflyError('STORAGE', 'the spool file of this download ended early');
      done += bytesRead;
    }
    return bytes;
  }
}

/** Resolves when everything is handed over. The file is closed first, because a device reports some errors only then. */
async function end({ path, out }: { readonly path: string; readonly out: Writable }): Promise<void> {
  try {
    out.end();
    await finished(out);
  } catch (error) {
    throw outputError(path, error);
  }
}

async function createSpool(): Promise<FileHandle> {
  const path = join(tmpdir(), `dfget-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await rm(path); // the open handle keeps the file until the process ends
  return file;
}
