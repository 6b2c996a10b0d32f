/**
 * Brings a run of pieces from the origin, in order, with one request, and resumes after a broken answer where the last
 * verified piece ended. Pieces that arrive by other ways meanwhile are skipped, not written twice.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { defaultPieceLength } from '../../core/piece-layout.ts';
import { payAll, type RateLimiter } from '../../core/rate-limiter.ts';
import { retryAfterMs } from '../source/retry-after.ts';
import type { Sources } from '../source/sources.ts';
import type { SourceBody, SourceObject, SourceOptions } from '../source/source.ts';
import type { PieceWriter } from '../storage/piece-writer.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import { daemonLimits } from '../limits.ts';
import type { OpenedOrigin } from './open-task.ts';

export interface OriginStreamOptions {
  readonly source: SourceOptions & { readonly url: string };
  /** First piece, and one past the last; undefined for "to the end of the content". */
  readonly first: number;
  readonly end: number | undefined;
  /** What the object must still be; undefined until the origin has told. */
  readonly validator?: string | undefined;
  /** The content has an expected digest: that decides at the end, so that no header needs to make a resume fail. */
  readonly digestDecides?: boolean | undefined;
  /** Rejects with UNSUPPORTED when the origin answers from another byte on: that would be read for nothing. */
  readonly exact?: boolean;
  readonly pieceLengthBytes: number | undefined;
  readonly sources: Pick<Sources, 'open'>;
  /** Answers the first request for the whole in place of the sources, if it still can. */
  readonly opened?: OpenedOrigin | undefined;
  /** What each byte pays, now. */
  readonly limiters: () => readonly RateLimiter[];
  /** Sees to the disk space for content of this size; rejects with NO_SPACE. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly stored: StoredTask;
  readonly signal: AbortSignal;
  /** The origin has answered; the layout of the task is set when the length is known. */
  readonly onAnswer: (object: SourceObject) => void;
  /** A piece is about to come in. */
  readonly onBegun: (number: number) => void;
  /** A piece that had begun will not be complete. */
  readonly onGivenUp: (number: number) => void;
  /** A piece is on disk. */
  readonly onPiece: (number: number) => void;
  /** More of a piece is in the file; called for every block. */
  readonly onBytes: () => void;
  readonly onRetry: () => void;
}

/** Ends the reading of a body of which nothing more is needed. */
const shortened = new DragonflyError('CANCELLED', 'nothing more is needed from the origin');

export class OriginStream {
  readonly #options: OriginStreamOptions;
  #nextPiece: number;
  #end: number | undefined;
  #validator: string | undefined;

  constructor(options: OriginStreamOptions) {
    this.#options = options;
    this.#nextPiece = options.first;
    this.#end = options.end;
    this.#validator = options.validator;
  }

  /** The piece it is at, or will be at next. */
  get nextPiece(): number {
    return this.#nextPiece;
  }

  get end(): number | undefined {
    return this.#end;
  }

  get validator(): string | undefined {
    return this.#validator;
  }

  /** Changes the run: one past the last piece, undefined for "to the end of the content". */
  setEnd(end: number | undefined): void {
    this.#end = end;
  }

  /** Resolves when every piece of the run is on disk; rejects with the origin's last error or the signal's reason. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const before = this.#nextPiece;
      try {
        // One attempt is enough unless the run was made longer meanwhile.
        while (!this.#isDone()) await this.#attempt();
        return;
      } catch (error) {
        signal.throwIfAborted();
        const failure = toDragonflyError(error);
        if (this.#nextPiece > before) attempt = 1; // progress: the origin works, its connection broke
        const pauseMs = isTemporary(failure) ? pauseBefore(attempt + 1, failure) : undefined;
        if (attempt >= daemonLimits.originAttempts || pauseMs === undefined) throw failure;
        this.#options.onRetry();
        await delay(pauseMs, undefined, { signal });
      }
    }
  }

  async #attempt(): Promise<void> {
    const { stored, source, sources, signal } = this.#options;
    const { layout } = stored;
    const start = layout ? this.#nextPiece * layout.pieceLengthBytes : this.#nextPiece * (stored.pieceLengthBytes ?? 0);
    const end = layout && Math.min((this.#end ?? Infinity) * layout.pieceLengthBytes, layout.contentLengthBytes);
    const whole = start === 0 && (end === undefined || end === layout?.contentLengthBytes);
    const opened = whole ? this.#options.opened?.take() : undefined;
    const body =
      opened ??
      (await sources.open({
        ...source,
        signal,
        validator: this.#options.digestDecides === true ? undefined : this.#validator,
        range: whole ? undefined : { start, length: (end ?? Number.MAX_SAFE_INTEGER) - start },
      }));
    try {
      if (this.#options.exact === true && body.startBytes !== start)
        throw new DragonflyError('UNSUPPORTED', 'the origin does not answer ranges');
      this.#validator ??= body.validator;
      if (!stored.layout) await this.#options.makeRoom(body.contentLengthBytes ?? 0);
      this.#setLayout(body);
      this.#options.onAnswer(body);
      await this.#receive(body, end);
    } catch (error) {
      body.cancel();
      if (error !== shortened) throw error;
    }
  }

  #setLayout(body: SourceObject): void {
    const { stored } = this.#options;
    const { contentLengthBytes } = body;
    if (stored.layout) {
      if (contentLengthBytes === undefined || contentLengthBytes === stored.layout.contentLengthBytes) return;
      throw new DragonflyError(
        'SOURCE_CHANGED',
        `the origin now has ${contentLengthBytes} bytes, before it had ${stored.layout.contentLengthBytes}`,
        { hint: 'Download again to get the new content.' },
      );
    }
    const pieceLengthBytes =
      stored.pieceLengthBytes ?? this.#options.pieceLengthBytes ?? defaultPieceLength(contentLengthBytes ?? 0);
    stored.setLayout({ contentLengthBytes, pieceLengthBytes, responseHeader: body.header });
  }

  /** Cuts the body into pieces, which should reach to `askedEnd`. An answer that starts before the wanted byte (no range support) is read past. */
  async #receive(body: SourceBody, askedEnd: number | undefined): Promise<void> {
    const { stored, limiters, signal } = this.#options;
    const pieceLength = stored.pieceLengthBytes ?? 0;
    const bodyEnd = body.startBytes + (body.lengthBytes ?? Infinity);
    let position = body.startBytes;
    let writer: PieceWriter | undefined;
    let pieceStartedMs = performance.now();
    const begin = (number: number): void => {
      pieceStartedMs = performance.now();
      writer = this.#claim(number);
      if (writer) this.#options.onBegun(number);
    };
    const commit = async (): Promise<void> => {
      if (!writer) return;
      const { number } = writer;
      const costMs = performance.now() - pieceStartedMs;
      const done = writer;
      writer = undefined;
      await done.commit({ source: 'origin', costMs });
      this.#nextPiece = number + 1;
      this.#options.onPiece(number);
    };
    try {
      // Who waits for the first piece hears of it now, and has asked for it when its first bytes are here.
      const comes = stored.layout !== undefined && position < stored.layout.contentLengthBytes;
      if (comes && position % pieceLength === 0) begin(position / pieceLength);
      await body.readTo(async (block) => {
        signal.throwIfAborted();
        await payAll(limiters(), block.length, signal);
        for (let used = 0; used < block.length;) {
          const number = Math.floor(position / pieceLength);
          const offsetInPiece = position - number * pieceLength;
          const room = Math.min(pieceLength - offsetInPiece, block.length - used);
          if (offsetInPiece === 0 && writer?.number !== number) begin(number);
          if (writer) {
            await writer.writeBlock(block.subarray(used, used + room));
            writer.vouch();
          }
          position += room;
          used += room;
          const pieceEnd = Math.min(
            (number + 1) * pieceLength,
            stored.layout?.contentLengthBytes ?? Number.MAX_SAFE_INTEGER,
          );
          this.#options.onBytes();
          if (position < pieceEnd) continue;
          await commit();
          this.#nextPiece = Math.max(this.#nextPiece, number + 1);
          if (this.#isDone() && position < bodyEnd) throw shortened; // the rest belongs to others, or is here already
        }
      });
      if (!stored.layout) {
        await commit();
        stored.finish({ contentLengthBytes: position });
        return;
      }
      const end = askedEnd ?? stored.layout.contentLengthBytes;
      if (position < end && !this.#isDone())
        throw new DragonflyError('SOURCE_UNREACHABLE', `the origin's answer ended at byte ${position} of ${end}`);
    } finally {
      await writer?.abort();
      if (writer) this.#options.onGivenUp(writer.number);
    }
  }

  /** The writer for the piece when this fetch still has to bring it. */
  #claim(number: number): PieceWriter | undefined {
    const { stored } = this.#options;
    if (number < this.#nextPiece || (this.#end !== undefined && number >= this.#end)) return undefined;
    if (stored.pieces.has(number) || stored.incoming(number)) return undefined;
    return stored.writePiece(number);
  }

  /** Skips what is there already. Content of unknown length is done when its end has been seen, which sets the layout. */
  #isDone(): boolean {
    const { layout, pieces } = this.#options.stored;
    const end = Math.min(this.#end ?? Infinity, layout?.pieceCount ?? Infinity);
    while (this.#nextPiece < end && pieces.has(this.#nextPiece)) this.#nextPiece += 1;
    return this.#nextPiece >= end;
  }
}

/** The same request may succeed later. A name that does not exist or a certificate that does not verify stays wrong. */
export function isTemporary(error: DragonflyError): boolean {
  if (error.code === 'DEADLINE_EXCEEDED') return true;
  if (error.code === 'SOURCE_UNREACHABLE') {
    const code = (error.cause as NodeJS.ErrnoException | undefined)?.code;
    return typeof code !== 'string' || (code !== 'ENOTFOUND' && !/CERT|SSL|TLS/.test(code));
  }
  const status = error.details?.statusCode;
  return error.code === 'SOURCE_STATUS' && status !== undefined && (status >= 500 || status === 408 || status === 429);
}

/**
 * Milliseconds; doubles with each attempt, with jitter. An origin's Retry-After wins; undefined when that is later than we
 * wait: it must not be asked before.
 */
function pauseBefore(attempt: number, error: DragonflyError): number | undefined {
  const asked = retryAfterMs(error.details?.header);
  if (asked !== undefined && asked > 0) return asked <= daemonLimits.retryAfterMaxMs ? asked : undefined;
  const pause = Math.min(daemonLimits.originBackoffMs * 2 ** (attempt - 2), daemonLimits.originBackoffMaxMs);
  return pause * (0.5 + Math.random() / 2);
}
