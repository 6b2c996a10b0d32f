/** gRPC streams as async iterables, with back-pressure both ways. */
import type { Readable, Writable } from 'node:stream';
import { DragonflyError } from '../core/errors.ts';
import { onAbort } from '../core/process/lifecycle.ts';
import { maxQueuedMessages, writeStallMs } from './limits.ts';

/**
 * Every message of the stream, pulled one at a time. Throws the stream's error, or the signal's reason when it aborts.
 * Listens from the call on, so that an error before the first pull is not lost.
 */
export function readMessages<T>(stream: Readable, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  const state: ReadState = { wake: undefined, ended: false, failure: undefined };
  const wake = (): void => state.wake?.();
  const end = (): void => {
    state.ended = true;
    wake();
  };
  stream.on('readable', wake).on('end', end).on('close', end);
  stream.on('error', (error) => {
    state.failure ??= error;
    wake();
  });
  const listening = onAbort(signal, wake);
  const release = (): void => {
    listening[Symbol.dispose]();
    stream.off('readable', wake).off('end', end).off('close', end);
    // The error listener stays, because an error without a listener would end the process.
  };
  return pull<T>(stream, signal, state, release);
}

interface ReadState {
  wake: (() => void) | undefined;
  ended: boolean;
  failure: unknown;
}

async function* pull<T>(
  stream: Readable,
  signal: AbortSignal,
  state: ReadState,
  release: () => void,
): AsyncGenerator<T, void, undefined> {
  try {
    for (;;) {
      const message = stream.read() as T | null;
      if (message !== null) {
        yield message;
        continue;
      }
      if (state.failure !== undefined) throw state.failure as Error;
      if (signal.aborted) throw signal.reason as Error;
      if (state.ended) return;
      await new Promise<void>((resolve) => {
        state.wake = resolve;
      });
    }
  } finally {
    release();
  }
}

/** Writes and waits while the other side is behind. Throws when it stays behind, when the stream closes, or on abort. */
export async function writeMessage(stream: Writable, message: unknown, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (stream.destroyed || stream.writableEnded) throw new DragonflyError('CANCELLED', 'the stream is closed');
  if (stream.write(message)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onClose = (): void => reject(new DragonflyError('CANCELLED', 'the stream is closed'));
  const onStall = (): void =>
    reject(new DragonflyError('DEADLINE_EXCEEDED', `the other side has not read for ${writeStallMs} ms`));
  const timer = setTimeout(onStall, writeStallMs);
  stream.once('drain', resolve).once('close', onClose).once('error', reject);
  using _listening = onAbort(signal, () => reject(signal.reason as Error));
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    stream.off('drain', resolve).off('close', onClose).off('error', reject);
  }
}

/**
 * Messages pushed by events on one side and iterated by a stream on the other; one consumer. `push` throws
 * RESOURCE_EXHAUSTED when the consumer is too far behind.
 */
export class MessageQueue<T> implements AsyncIterable<T> {
  readonly #limit: number;
  #messages: T[] = [];
  #read = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(limit = maxQueuedMessages) {
    this.#limit = limit;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get length(): number {
    return this.#messages.length - this.#read;
  }

  /** False when the queue has ended and the message was dropped. */
  push(message: T): boolean {
    if (this.#ended) return false;
    if (this.length >= this.#limit) {
      throw new DragonflyError('RESOURCE_EXHAUSTED', `more than ${this.#limit} messages are waiting to be sent`);
    }
    this.#messages.push(message);
    this.#wake?.();
    return true;
  }

  /** What was pushed before is still delivered. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** What was pushed before is still delivered, then the consumer gets the error. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#failure = error;
    this.end();
  }

  /** Not a generator, because leaving the loop must take effect even while a pull is pending. */
  [Symbol.asyncIterator](): AsyncIterator<T, void, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.#failure = undefined;
        this.#messages = [];
        this.#read = 0;
        this.end();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  async #next(): Promise<IteratorResult<T, void>> {
    while (this.#read === this.#messages.length && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#read < this.#messages.length) {
      const value = this.#messages[this.#read] as T;
      this.#read += 1;
      // Consumed messages are dropped in batches: dropping each one would move the rest every time.
      if (this.#read === this.#messages.length || this.#read >= 1024) {
        this.#messages = this.#messages.slice(this.#read);
        this.#read = 0;
      }
      return { done: false, value };
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
    return { done: true, value: undefined };
  }
}

/** The same messages; ends with the signal's reason as soon as it aborts, even when the source is stuck in a wait. */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  // one listener for all messages: adding and removing one each costs more than most messages
  let giveUp: ((reason: Error) => void) | undefined;
  using _listening = onAbort(signal, () => giveUp?.(signal.reason as Error));
  let finished = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        giveUp = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done === true) {
        finished = true;
        return;
      }
      yield next.value;
    }
  } catch (error) {
    finished = !signal.aborted; // an iterator that threw has finished
    throw error;
  } finally {
    // Not awaited: a blocked generator only returns when its own wait ends.
    if (!finished) void iterator.return?.(undefined).catch(() => undefined);
  }
}
