/** A child on one raw connection: two requests ahead, every byte counted, none kept. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeAnswer, encodeRequest, tags, type Answer } from '../../src/dfdaemon/transport/vortex.ts';

export interface Wanted {
  readonly taskId: string;
  readonly piece: number;
}

const requestsAhead = 2;
const busyMs = 10;

export class DiscardingChild {
  readonly #block = Buffer.allocUnsafe(2 ** 20);
  readonly #wanted: Wanted[] = [];
  readonly #asked: Wanted[] = [];
  readonly #socket: Socket;
  readonly #done: Promise<void>;
  #head = Buffer.alloc(0);
  #bodyBytes = 0;
  #ended = false;
  receivedBytes = 0;
  timesBusy = 0;

  constructor(host: string, port: number) {
    const callback = (size: number): boolean => this.#take(size);
    this.#socket = connect({ host, port, noDelay: true, onread: { buffer: this.#block, callback } });
    this.#done = once(this.#socket, 'close').then(() => {
      if (!this.#ended || this.#left > 0) throw new Error(`the parent closed with ${this.#left} pieces owed`);
    });
    this.#done.catch(() => undefined); // heard of in finish()
  }

  get #left(): number {
    return this.#wanted.length + this.#asked.length;
  }

  want(wanted: Wanted): void {
    this.#wanted.push(wanted);
    this.#ask();
  }

  /** Resolves when everything wanted was received. */
  finish(): Promise<void> {
    this.#ended = true;
    this.#closeAtEnd();
    return this.#done;
  }

  #ask(): void {
    while (this.#asked.length < requestsAhead) {
      const next = this.#wanted.shift();
      if (!next) return this.#closeAtEnd();
      this.#socket.write(encodeRequest(tags.pipelinedPiece, next.taskId, next.piece));
      this.#asked.push(next);
    }
  }

  #closeAtEnd(): void {
    if (this.#ended && this.#left === 0) this.#socket.destroy();
  }

  #take(size: number): boolean {
    let at = 0;
    while (at < size) {
      if (this.#bodyBytes > 0) {
        const part = Math.min(this.#bodyBytes, size - at);
        this.#bodyBytes -= part;
        this.receivedBytes += part;
        at += part;
      } else {
        this.#head = Buffer.concat([this.#head, this.#block.subarray(at, size)]);
        const answer = decodeAnswer(this.#head, 0, this.#head.length, tags.pipelinedContent);
        if (!answer) return true;
        at += answer.bytes - (this.#head.length - (size - at));
        this.#head = Buffer.alloc(0);
        this.#begin(answer);
      }
      if (this.#bodyBytes === 0) this.#ask();
    }
    return true;
  }

  #begin(answer: Answer): void {
    const asked = this.#asked.shift();
    if (answer.kind === 'content') this.#bodyBytes = answer.head.length;
    else if (asked && answer.error.code === 'RESOURCE_EXHAUSTED') void this.#askAgain(asked);
    else this.#socket.destroy(answer.error);
  }

  /** A busy parent sends to others; there is none here. It counts as asked meanwhile. */
  async #askAgain(wanted: Wanted): Promise<void> {
    this.timesBusy += 1;
    this.#asked.push(wanted);
    await delay(busyMs);
    this.#asked.splice(this.#asked.indexOf(wanted), 1);
    this.#wanted.unshift(wanted);
    this.#ask();
  }
}
