/**
 * A body on its way to the store that is also written to a file. The store receives it at the pace of the slower of the
 * two, or at its own once the disk fails: a body that cannot be written to the file is sent all the same, and not kept.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline, Transform, type TransformCallback, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { BodyOrigin } from '../../../wire/request-body.ts';

export interface WrittenBodyOptions {
  readonly request: IncomingMessage;
  /** Extracts the content where the body contains more than that. */
  readonly decoder?: Transform | undefined;
  /** Path of a new file in the store's incoming directory. */
  readonly path: string;
  /** Called before the file grows by this many bytes. False: nothing more may be written to it. */
  readonly mayGrow: (bytes: number) => boolean;
}

export class WrittenBody extends Transform implements BodyOrigin {
  readonly path: string;
  /** Bytes of the content on their way to the file. */
  bytes = 0;
  readonly #request: IncomingMessage;
  readonly #file: WriteStream;
  readonly #sink: Writable;
  readonly #mayGrow: (bytes: number) => boolean;
  #whole = false;

  constructor({ request, decoder, path, mayGrow }: WrittenBodyOptions) {
    super();
    this.#request = request;
    this.path = path;
    this.#file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    this.#file.on('error', () => undefined); // the stream is then destroyed, and the body not kept
    this.#sink = decoder ?? this.#file;
    this.#mayGrow = mayGrow;
    if (!decoder) return;
    pipeline(decoder, this.#file, () => undefined);
    decoder.on('data', (block: Buffer) => this.#count(block));
  }

  /** The trailers as the request has them, for forwarding. */
  get rawTrailers(): readonly string[] {
    return this.#request.rawTrailers;
  }

  get socket(): Socket {
    return this.#request.socket;
  }

  override _transform(block: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    const sink = this.#sink;
    if (sink === this.#file) this.#count(block);
    if (sink.destroyed || sink.write(block)) return callback(null, block);
    const goOn = (): void => {
      sink.off('drain', goOn).off('close', goOn);
      callback(null, block);
    };
    sink.once('drain', goOn).once('close', goOn);
  }

  override _flush(callback: TransformCallback): void {
    this.#whole = true;
    if (!this.#sink.destroyed) this.#sink.end();
    callback();
  }

  /** Resolves when the file is complete. Rejects when the body broke off or could not be written. */
  async written(): Promise<void> {
    if (this.#file.writableFinished) return;
    if (!this.#whole || this.#file.destroyed) throw new Error('it was not written down whole');
    await finished(this.#file);
  }

  #count(block: Buffer): void {
    if (this.#file.destroyed) return;
    this.bytes += block.length;
    if (!this.#mayGrow(block.length)) this.leave();
  }

  /** The file is no longer wanted; the body is still forwarded. */
  leave(): void {
    this.#sink.destroy();
    this.#file.destroy();
    void rm(this.path, { force: true }).catch(() => undefined);
  }
}
