/**
 * Requests of a stream that may have to be reopened at another server: those pulled so far are repeated for every new
 * attempt until `commit`, after which none are kept.
 */
export class Replay<T> {
  readonly #source: AsyncIterator<T>;
  #kept: T[] = [];
  #committed = false;
  /** A running read; the attempt that started it may have ended. */
  #pending: Promise<IteratorResult<T, unknown>> | undefined;

  constructor(source: AsyncIterable<T>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** All messages from the first on. One attempt at a time: leave the previous one first. */
  attempt(): AsyncIterable<T> {
    const replayed = [...this.#kept];
    let left = false;
    const next = async (): Promise<IteratorResult<T, undefined>> => {
      const first = replayed.shift();
      if (first !== undefined) return { done: false, value: first };
      this.#pending ??= this.#source.next();
      const result = await this.#pending;
      if (left) return { done: true, value: undefined }; // the next attempt takes it
      this.#pending = undefined;
      if (result.done === true) return { done: true, value: undefined };
      if (!this.#committed) this.#kept.push(result.value);
      return { done: false, value: result.value };
    };
    const leave = async (): Promise<IteratorResult<T, undefined>> => {
      left = true;
      if (this.#committed) await this.#source.return?.();
      return { done: true, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
  }

  commit(): void {
    this.#committed = true;
    this.#kept = [];
  }
}
