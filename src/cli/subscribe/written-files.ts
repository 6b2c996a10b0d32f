/**
 * How far each file of a version is whole from its start while its bytes are written in any order. Whoever reads a file back follows
 * that end.
 */
import { onAbort } from '../../core/process/lifecycle.ts';

interface WrittenFile {
  endBytes: number;
  /** What is written beyond the end, by its start. */
  readonly beyond: Map<number, number>;
}

export class WrittenFiles {
  readonly #files = new Map<string, WrittenFile>();
  #isDone = false;
  #wake: (() => void) | undefined;

  /** Runs do not overlap, since each is a chunk or part of one. */
  wrote(path: string, offset: number, lengthBytes: number): void {
    const file = this.#of(path);
    file.beyond.set(offset, offset + lengthBytes);
    for (let end = file.beyond.get(file.endBytes); end !== undefined; end = file.beyond.get(file.endBytes)) {
      file.beyond.delete(file.endBytes);
      file.endBytes = end;
    }
    this.#wake?.();
  }

  /** Nothing more is written: what is missing stays missing. */
  done(): void {
    this.#isDone = true;
    this.#wake?.();
  }

  /**
   * Resolves with the end of what is written of the file, or its length after the last write, as soon as that is beyond the position. For one reader.
   * Rejects with the signal's reason.
   */
  async beyond(
    { path, lengthBytes }: { readonly path: string; readonly lengthBytes: number },
    position: number,
    signal: AbortSignal,
  ): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      const { endBytes } = this.#of(path);
      if (this.#isDone) return lengthBytes;
      if (endBytes > position) return endBytes;
      await this.#next(signal);
    }
  }

  async #next(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    using _listening = onAbort(signal, resolve);
    await promise;
    this.#wake = undefined;
  }

  #of(path: string): WrittenFile {
    const known = this.#files.get(path);
    if (known) return known;
    const file = { endBytes: 0, beyond: new Map<number, number>() };
    this.#files.set(path, file);
    return file;
  }
}
