/**
 * A body on its way to the store, written down beside. The store gets it at the pace of the slower of the two, or of its own when the disk does
 * not take any more: what cannot be written down is not kept, and sent all the same.
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
  /** Takes the content out of what is sent, where that is more than the content. */
  readonly decoder?: Transform | undefined;
  /** In the store's directory for what comes in; there is no such file yet. */
  readonly path: string;
  /** Called for so many bytes more. False: no more of it is to be written down. */
  readonly mayGrow: (bytes: number) => boolean;
}

export class WrittenBody extends Transform implements BodyOrigin {
  readonly path: string;
  /** Of the content, on their way to the file. */
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
    this.#file.on('error', () => undefined); // destroyed then, and not kept
    this.#sink = decoder ?? this.#file;
    this.#mayGrow = mayGrow;
    if (!decoder) return;
    pipeline(decoder, this.#file, () => undefined);
    decoder.on('data', (block: Buffer) => this.#count(block));
  }

  /** As the request has them, for whoever sends it on. */
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

  /** All of it is in the file. Rejects when it did not come to its end, or could not be written. */
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

  /** It is not wanted any more; what passes goes on. */
  leave(): void {
    this.#sink.destroy();
    this.#file.destroy();
    void rm(this.path, { force: true }).catch(() => undefined);
  }
}
