/**
 * Fetches a run of pieces from the origin: with one request, or with several where the configuration allows more
 * connections and the origin supports ranges. The run is then split in halves, and a worker that is done takes half of
 * what the slowest has left, so that an origin which limits each connection delays the run as little as possible.
 */
import { type DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import { daemonLimits } from '../../limits.ts';
import type { SourceObject } from '../../source/source.ts';
import type { OriginRun } from './origin-run.ts';
import { OriginStream, type OriginStreamOptions } from './origin-stream.ts';

export interface OriginFetchOptions extends Omit<OriginStreamOptions, 'exact' | 'mayRetry'> {
  /** Reports a failed request and whether it brought anything. Resolves when the request is to be sent again. */
  readonly mayRetry: (
    failure: DragonflyError,
    about: { readonly request: number; readonly progressed: boolean },
  ) => Promise<void>;
  /** Maximum number of concurrent requests. */
  readonly connections: number;
}

export class OriginFetch {
  readonly #options: OriginFetchOptions;
  readonly #controller = new AbortController();
  readonly #streams = new Set<OriginStream>();
  /** Workers besides the first. */
  readonly #helpers: Promise<void>[] = [];
  /** Runs for which the origin did not honour the range. */
  readonly #left: OriginRun[] = [];
  #requests = 0;
  #end: number | undefined;
  #answered = false;
  #ranges = false;
  #validator: string | undefined;
  #failure: DragonflyError | undefined;
  /** Fetches the beginning of the run. */
  #leading: OriginStream | undefined;

  constructor(options: OriginFetchOptions) {
    const signal = AbortSignal.any([options.signal, this.#controller.signal]);
    const onAnswer: OriginStreamOptions['onAnswer'] = (object, ranges) => {
      options.onAnswer(object, ranges);
      this.#answer(object);
    };
    this.#options = { ...options, signal, onAnswer };
    this.#end = options.end;
    this.#validator = options.validator;
  }

  /** The current piece of a run that was not split. */
  get nextPiece(): number {
    return this.#leading?.nextPiece ?? this.#options.first;
  }

  comesInMs(position: number): number {
    return this.#leading?.comesInMs(position) ?? Infinity;
  }

  /** Changes the run: one past the last piece, undefined for "to the end of the content". */
  setEnd(end: number | undefined): void {
    const before = this.#end;
    this.#end = end;
    for (const stream of this.#streams) {
      if (stream.end === before || (stream.end ?? Infinity) > (end ?? Infinity)) stream.setEnd(end);
    }
  }

  /** The run became known, or changed, after the fetch began. */
  setRun(run: OriginRun): void {
    this.setEnd(run.end);
    // When the run was split, other workers fetch the rest.
    const end = this.#helpers.length > 0 ? this.#leading?.end : run.end;
    this.#leading?.setRun({ ...run, end });
  }

  /** Resolves when every piece of the run is on disk; rejects with the origin's last error or the signal's reason. */
  async run(): Promise<void> {
    const { first, readerRange, readerOnly, unresolved } = this.#options;
    await this.#work({ first, end: this.#end, readerRange, readerOnly, unresolved });
    await Promise.all(this.#helpers);
    this.#ranges = false;
    for (let run = this.#left.pop(); run && !this.#failure; run = this.#left.pop()) {
      const end = Math.min(run.end ?? Infinity, this.#end ?? Infinity);
      if (run.first < end) await this.#work({ first: run.first, end: Number.isFinite(end) ? end : undefined });
    }
    if (this.#failure) throw this.#failure;
  }

  /** Fetches the run, then helps with what others have left. Never rejects: the first failure ends the whole fetch. */
  async #work(run: OriginRun): Promise<void> {
    try {
      for (let next: OriginRun | undefined = run; next; next = this.#half()) await this.#bring(next);
    } catch (error) {
      this.#failure ??= toDragonflyError(error);
      this.#controller.abort(this.#failure);
    }
  }

  async #bring(run: OriginRun): Promise<void> {
    const exact = this.#ranges;
    const { readerRange, readerOnly, unresolved } = run;
    const request = this.#requests;
    this.#requests += 1;
    const stream = new OriginStream({
      ...this.#options,
      ...run,
      readerRange,
      readerOnly,
      unresolved,
      exact,
      validator: this.#validator,
      // This origin is then fetched with one request; it has not failed.
      mayRetry: (failure, progressed) =>
        exact && failure.code === 'UNSUPPORTED'
          ? Promise.reject(failure)
          : this.#options.mayRetry(failure, { request, progressed }),
    });
    this.#leading ??= stream;
    this.#streams.add(stream);
    try {
      await stream.run();
    } catch (error) {
      if (!exact || toDragonflyError(error).code !== 'UNSUPPORTED') throw error;
      this.#ranges = false;
      this.#left.push({ first: stream.nextPiece, end: stream.end });
    } finally {
      this.#streams.delete(stream);
    }
  }

  #answer(object: SourceObject): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#validator ??= object.validator;
    // Without a validator or a digest, parts of two versions could not be told apart.
    this.#ranges = object.ranges && (object.validator !== undefined || this.#options.digestDecides === true);
    for (let count = 1; count < this.#options.connections; count += 1) {
      const run = this.#half();
      if (!run) return;
      this.#helpers.push(this.#work(run));
    }
  }

  /** The upper half of what the slowest stream has left; undefined when it is not worth a request. */
  #half(): OriginRun | undefined {
    const { layout } = this.#options.stored;
    if (!this.#ranges || !layout || this.#options.connections < 2) return undefined;
    let widest: { stream: OriginStream; from: number; end: number } | undefined;
    for (const stream of this.#streams) {
      const from = stream.nextPiece + 1;
      const end = Math.min(stream.end ?? Infinity, layout.pieceCount);
      if (end - from > (widest ? widest.end - widest.from : 0)) widest = { stream, from, end };
    }
    if (!widest || (widest.end - widest.from) * layout.pieceLengthBytes < 2 * daemonLimits.originPartBytes)
      return undefined;
    const { stream, from, end } = widest;
    const first = Math.ceil((from + end) / 2);
    const run = { first, end: stream.end };
    stream.setEnd(first);
    return run;
  }
}
