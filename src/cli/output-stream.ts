/**
 * Standard output takes bytes in order only. Those that come early wait in a file without a name, so that memory stays
 * flat; the last ones wait until the digest is verified, so that a wrong content never looks whole to the reader.
 */
import { randomUUID } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DigestStream, type Digest } from '../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import { requireDigest, type ContentSink } from './output-file.ts';

export class StreamSink implements ContentSink {
  readonly #out: NodeJS.WritableStream;
  readonly #digest: Digest | undefined;
  readonly #onFirstByte: () => void;
  readonly #hash: DigestStream | undefined;
  /** Position → length of what waits in the spool file. */
  readonly #early = new Map<number, number>();
  #spool: FileHandle | undefined;
  #position = 0;
  #held: Buffer | undefined;

  /** @param onFirstByte called before the reader is given anything. */
  constructor(out: NodeJS.WritableStream, digest: Digest | undefined, onFirstByte: () => void) {
    this.#out = out;
    this.#digest = digest;
    this.#onFirstByte = onFirstByte;
    this.#hash = digest && new DigestStream(digest.algorithm);
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
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spool?.close();
  }

  async #pass(bytes: Buffer): Promise<void> {
    this.#hash?.update(bytes);
    this.#position += bytes.length;
    if (!this.#digest) return this.#send(bytes);
    if (this.#held) await this.#send(this.#held);
    this.#held = Buffer.from(bytes); // the caller reuses its buffer
  }

  /** Resolves when the reader has taken the bytes, or rejects when there is no reader any more. */
  #send(bytes: Buffer): Promise<void> {
    this.#onFirstByte();
    return new Promise((resolve, reject) => {
      this.#out.write(bytes, (error) => (error ? reject(toDragonflyError(error)) : resolve()));
    });
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

async function createSpool(): Promise<FileHandle> {
  const path = join(tmpdir(), `dfget-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await rm(path); // it lives on by its handle and goes with the process
  return file;
}
