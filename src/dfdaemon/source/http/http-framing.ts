/** The framing of a body in an HTTP/1.x connection. Pure; one object per body. */
import { maxChunkLineBytes, maxTrailerBytes } from '../limits.ts';
import { protocolError } from './http-head.ts';

export interface BodyFraming {
  /** The number of content bytes that follow without framing in between; 0 when framing comes next or the body is over. */
  readonly payloadBytes: number;
  readonly done: boolean;
  /** Counts content bytes as received. */
  advance(bytes: number): void;
  /** Reads framing and returns how many bytes of it were consumed. */
  parse(bytes: Uint8Array): number;
  /** The connection has ended; true when that completes the body. */
  end(): boolean;
}

export class LengthFraming implements BodyFraming {
  payloadBytes: number;

  constructor(lengthBytes: number) {
    this.payloadBytes = lengthBytes;
  }

  get done(): boolean {
    return this.payloadBytes === 0;
  }

  advance(bytes: number): void {
    this.payloadBytes -= bytes;
  }

  parse(): number {
    return 0;
  }

  end(): boolean {
    return this.done;
  }
}

/** HTTP/1.0 style: the end of the connection is the end of the body. */
export class UntilCloseFraming implements BodyFraming {
  payloadBytes = Number.POSITIVE_INFINITY;
  done = false;

  advance(): void {}

  parse(): number {
    return 0;
  }

  end(): boolean {
    this.done = true;
    this.payloadBytes = 0;
    return true;
  }
}

const [lf, cr] = [10, 13];

export class ChunkedFraming implements BodyFraming {
  payloadBytes = 0;
  #state: 'size' | 'after-data' | 'trailer' | 'done' = 'size';
  #line = '';
  #trailerBytes = 0;

  get done(): boolean {
    return this.#state === 'done';
  }

  advance(bytes: number): void {
    this.payloadBytes -= bytes;
    if (this.payloadBytes === 0) this.#state = 'after-data';
  }

  parse(bytes: Uint8Array): number {
    let consumed = 0;
    while (consumed < bytes.length && this.payloadBytes === 0 && this.#state !== 'done') {
      const byte = bytes[consumed] as number;
      consumed += 1;
      if (byte === lf) this.#endOfLine();
      else {
        this.#line += String.fromCharCode(byte);
        if (this.#line.length > maxChunkLineBytes) throw protocolError('a line of its chunked body is too long');
      }
    }
    return consumed;
  }

  end(): boolean {
    return this.done;
  }

  #endOfLine(): void {
    const line = this.#line.charCodeAt(this.#line.length - 1) === cr ? this.#line.slice(0, -1) : undefined;
    this.#line = '';
    if (line === undefined) throw protocolError('a line of its chunked body does not end in CR LF');
    switch (this.#state) {
      case 'size': {
        const size = /^([0-9a-fA-F]{1,13})[ \t]*(?:;.*)?$/.exec(line)?.[1];
        if (size === undefined) throw protocolError('a chunk size is malformed');
        this.payloadBytes = Number.parseInt(size, 16);
        if (this.payloadBytes === 0) this.#state = 'trailer';
        return;
      }
      case 'after-data':
        if (line !== '') throw protocolError('a chunk is longer than its size');
        this.#state = 'size';
        return;
      case 'trailer':
        this.#trailerBytes += line.length;
        if (this.#trailerBytes > maxTrailerBytes) throw protocolError('the trailer of its body is too long');
        if (line === '') this.#state = 'done';
        return;
      case 'done':
    }
  }
}
