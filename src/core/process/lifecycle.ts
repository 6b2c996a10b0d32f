/** Ownership of things that must be closed: in reverse order, each once, with a deadline. */
import { toDragonflyError } from '../errors.ts';
import type { Logger } from './logger.ts';

export interface Closable {
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * What a service has opened, to be closed in reverse order. A part that fails to close does not keep the others open; a
 * part that exceeds the deadline is logged and left, since the process is about to end.
 */
export class Owned implements Closable {
  readonly #closers: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  readonly #logger: Logger | undefined;
  readonly #deadlineMs: number;
  #closing: Promise<void> | undefined;

  constructor(logger?: Logger, deadlineMs = 10_000) {
    this.#logger = logger;
    this.#deadlineMs = deadlineMs;
  }

  add<T extends Closable>(name: string, closable: T): T {
    this.defer(name, () => closable[Symbol.asyncDispose]());
    return closable;
  }

  defer(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const { name, close } of this.#closers.reverse()) {
      try {
        const ended = await withDeadline(Promise.resolve(close()), this.#deadlineMs);
        if (!ended) this.#logger?.warn({ part: name, deadlineMs: this.#deadlineMs }, 'did not close in time');
      } catch (error) {
        this.#logger?.warn({ part: name, error: toDragonflyError(error).message }, 'failed to close');
      }
    }
  }
}

/** True when the promise settled in time; its rejection is passed on. */
export async function withDeadline(work: Promise<unknown>, deadlineMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), deadlineMs);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A terminal signals the whole process group, and npm passes on a copy: signals within this time are one Ctrl-C. */
const sameSignalMs = 1000;

/** Aborts on SIGINT or SIGTERM; a second signal ends the process at once. Call once, from the entry point. */
export function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  let firstAtMs = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (!controller.signal.aborted) {
        firstAtMs = performance.now();
        controller.abort(new DOMException(`stopped by ${name}`, 'AbortError'));
      } else if (performance.now() - firstAtMs > sameSignalMs) process.kill(process.pid, 'SIGKILL');
    });
  }
  return controller.signal;
}

/**
 * A signal that aborts with the parent, or with a TimeoutError after the time. Dispose it when the work has ended:
 * AbortSignal.timeout would keep its timer, and all that hangs on it, until the time is over.
 */
export function deadlineSignal(parent: AbortSignal, timeoutMs: number): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new DOMException(`not done within ${timeoutMs} ms`, 'TimeoutError'));
  }, timeoutMs);
  const listening = onAbort(parent, () => controller.abort(parent.reason));
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      listening[Symbol.dispose]();
    },
  };
}

/**
 * Acts once when the signal aborts, at once if it already has. Dispose it when the work has ended: a signal that lives
 * longer than the work would keep the listener, and all that hangs on it.
 */
export function onAbort(signal: AbortSignal | undefined, act: () => void): Disposable {
  if (signal?.aborted === true) act();
  else signal?.addEventListener('abort', act, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener('abort', act) };
}

/**
 * Settles as the work does, or rejects with the signal's reason if that aborts first; the work goes on, for whoever else
 * waits for it. Leaves no listener on the signal.
 */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: left, reject } = Promise.withResolvers<never>();
  using _listening = onAbort(signal, () => reject(signal.reason as Error));
  return await Promise.race([work, left]);
}

/** Resolves when the signal aborts; at once if it already has. For signals that end with the caller: it leaves a listener. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
