/**
 * Fetches a run of pieces from the origin with one request, and after a broken answer continues with the byte where
 * that one ended. A reader that waits in the middle of the first piece gets its bytes first; what lies before them is
 * requested at the end. Pieces that arrive another way meanwhile are skipped, not written twice.
 */
import type { ByteRange } from '../../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import { defaultPieceLength } from '../../../core/piece-layout.ts';
import { payAll, type RateLimiter } from '../../../core/rate-limiter.ts';
import type { Sources } from '../../source/sources.ts';
import type { SourceBody, SourceObject, SourceOptions, SourceRequest } from '../../source/source.ts';
import { readFully } from '../../storage/content-file.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import type { OpenedOrigin } from '../open-task.ts';
import {
  bytesAhead,
  firstMissingByte,
  isOnDisk,
  spansOf,
  whereAPieceMayEnd,
  type ByteSpan,
  type OriginRun,
} from './origin-run.ts';
import { PieceCutter } from './piece-cutter.ts';
import { isSameVersion } from '../same-version.ts';

export interface OriginStreamOptions extends OriginRun {
  readonly source: SourceOptions & { readonly url: string };
  /** The version that the object must still have; undefined until the origin has told. */
  readonly validator?: string | undefined;
  /** The content has an expected digest, which decides at the end, so that no header needs to make a resume fail. */
  readonly digestDecides?: boolean | undefined;
  /** Rejects with UNSUPPORTED when the origin does not start at the requested byte: the rest would be read for nothing. */
  readonly exact?: boolean;
  readonly pieceLengthBytes: number | undefined;
  readonly sources: Pick<Sources, 'open'>;
  /** Answers the first request instead of the sources, if it still can. */
  readonly opened?: OpenedOrigin | undefined;
  /** The limiters that currently apply; each byte counts against all of them. */
  readonly limiters: () => readonly RateLimiter[];
  /** Reserves disk space for content of this size; rejects with NO_SPACE. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly stored: StoredTask;
  readonly signal: AbortSignal;
  /**
   * The origin has answered; the task's layout is set once the length is known. `ranges` is undefined when no range was
   * requested and the answer does not say whether ranges are supported.
   */
  readonly onAnswer: (object: SourceObject, ranges: boolean | undefined) => void;
  /** A piece starts to arrive. */
  readonly onBegun: (number: number) => void;
  /** A piece that started to arrive will not be complete. */
  readonly onGivenUp: (number: number) => void;
  /** More of a piece is in the file; called for every block. */
  readonly onBytes: () => void;
  /** A request has failed. Resolves when it is to be sent again; rejects when it is not. */
  readonly mayRetry: (failure: DragonflyError, progressed: boolean) => Promise<void>;
}

/** Ends the reading of a body of which nothing more is needed. */
const shortened = new DragonflyError('CANCELLED', 'nothing more is needed from the origin');

/** Enough to tell versions of most files apart, and no burden. */
const comparedBytes = 64 * 1024;

/** The rate of an answer is measured over at least this long. */
const paceKnownMs = 50;

export class OriginStream {
  readonly #options: OriginStreamOptions;
  #run: OriginRun;
  /** The position of the next byte. */
  #position: number | undefined;
  /** When the current answer began, and at which byte. */
  #startedMs = 0;
  #startBytes = 0;
  #validator: string | undefined;

  constructor(options: OriginStreamOptions) {
    this.#options = options;
    const { first, end, readerRange, readerOnly, unresolved } = options;
    this.#run = { first, end, readerRange, readerOnly, unresolved };
    this.#validator = options.validator;
  }

  /** The current piece, or the next one. */
  get nextPiece(): number {
    const at = this.#position ?? this.#missing()?.from;
    return at === undefined ? this.#run.first : Math.floor(at / (this.#options.stored.pieceLengthBytes ?? 1));
  }

  /** When this byte will have arrived at the current rate; 0 while that is unknown, infinite when it is not part of the run. */
  comesInMs(target: number): number {
    const { layout } = this.#options.stored;
    const position = this.#position;
    const elapsedMs = performance.now() - this.#startedMs;
    if (!layout || position === undefined || elapsedMs < paceKnownMs) return 0;
    const ahead = bytesAhead(spansOf(this.#run, layout), position, target);
    const bytesPerMs = (position - this.#startBytes) / elapsedMs;
    return ahead === undefined ? Infinity : ahead / bytesPerMs;
  }

  get end(): number | undefined {
    return this.#run.end;
  }

  /** Changes the run: one past the last piece, undefined for "to the end of the content". */
  setEnd(end: number | undefined): void {
    this.#run = { ...this.#run, end };
  }

  setRun(run: OriginRun): void {
    this.#run = run;
  }

  /** Resolves when every byte of the run is on disk; rejects when a failed request is not to be sent again. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    for (;;) {
      const before = this.#missing();
      try {
        // One attempt is enough unless a reader's bytes came first, or the run was extended meanwhile.
        for (let next = before; next; next = this.#missing()) await this.#attempt(next);
        return;
      } catch (error) {
        signal.throwIfAborted();
        await this.#options.mayRetry(toDragonflyError(error), this.#missing()?.from !== before?.from);
      } finally {
        this.#position = undefined;
      }
    }
  }

  /** The next bytes to request; the end is infinite while the length of the content is unknown. */
  #missing(): ByteSpan | undefined {
    const { stored } = this.#options;
    const { layout, pieceLengthBytes } = stored;
    if (pieceLengthBytes === undefined) return { from: 0, to: Infinity };
    const spans = layout ? spansOf(this.#run, layout) : [{ from: this.#run.first * pieceLengthBytes, to: Infinity }];
    for (const span of spans) {
      const from = firstMissingByte(stored, pieceLengthBytes, span);
      if (from !== undefined) return { from, to: span.to };
    }
    return undefined;
  }

  async #attempt(wanted: ByteSpan): Promise<void> {
    const { stored, source, sources, signal, exact, digestDecides } = this.#options;
    const knewLayout = stored.layout !== undefined;
    const part = this.#part(wanted);
    const validator = digestDecides === true ? undefined : this.#validator;
    const first = isPart(part) ? this.#run.readerRange !== undefined && !knewLayout : true;
    const opened = first ? await this.#options.opened?.take(signal) : undefined;
    const held = validator === undefined && digestDecides !== true ? this.#heldBefore(wanted.from) : 0;
    const asked = part.range ? { range: extended(part.range, held) } : part;
    const body = opened ?? (await sources.open({ ...source, ...asked, signal, validator }));
    try {
      const refused = body.startBytes === 0 && !body.ranges && isPart(part);
      const elsewhere = refused && (body.contentLengthBytes === undefined || wanted.from > 0);
      if (elsewhere && (exact === true || (knewLayout && this.#run.readerRange !== undefined)))
        throw new DragonflyError('UNSUPPORTED', 'the origin does not answer ranges');
      this.#validator ??= body.validator;
      if (!stored.layout) await this.#options.makeRoom(body.contentLengthBytes ?? 0);
      this.#setLayout(body);
      // The origin sends everything anyway, so nobody else has to ask for the rest.
      if (refused && !knewLayout && this.#run.readerRange !== undefined) this.#run = { first: 0, end: undefined };
      this.#options.onAnswer(body, refused ? false : body.ranges || undefined);
      await this.#receive(body, { from: wanted.from - held, to: wanted.from });
    } catch (error) {
      body.cancel();
      if (error !== shortened) throw error;
    }
  }

  /** The range to request for these bytes. */
  #part({ from, to }: ByteSpan): Pick<SourceRequest, 'range' | 'suffixBytes'> {
    const { stored } = this.#options;
    const { readerRange } = this.#run;
    const { layout } = stored;
    if (readerRange && !layout) {
      if ('suffix' in readerRange) return { suffixBytes: readerRange.suffix };
      // Up to where a piece may end: the last piece is then complete, and nothing more has to be requested.
      const rounded =
        readerRange.last === undefined ? Number.MAX_SAFE_INTEGER : whereAPieceMayEnd(readerRange.last + 1);
      return {
        range: { start: readerRange.first, length: Math.min(rounded, Number.MAX_SAFE_INTEGER) - readerRange.first },
      };
    }
    const whole = from === 0 && (to === Infinity || to === layout?.contentLengthBytes);
    return whole ? {} : { range: { start: from, length: Math.min(to, Number.MAX_SAFE_INTEGER) - from } };
  }

  #setLayout(body: SourceObject): void {
    const { stored } = this.#options;
    const { contentLengthBytes } = body;
    if (stored.layout) {
      if (contentLengthBytes !== undefined && contentLengthBytes !== stored.layout.contentLengthBytes) {
        throw new DragonflyError(
          'SOURCE_CHANGED',
          `the origin now has ${contentLengthBytes} bytes, before it had ${stored.layout.contentLengthBytes}`,
          { hint: 'Download again to get the new content.' },
        );
      }
      if (this.#options.digestDecides === true || isSameVersion(stored.responseHeader, body.header)) return;
      throw new DragonflyError('SOURCE_CHANGED', 'the origin has told others of another content than this node', {
        hint: 'Download it again; give --digest to be sure of what you get.',
      });
    }
    const pieceLengthBytes =
      stored.pieceLengthBytes ?? this.#options.pieceLengthBytes ?? defaultPieceLength(contentLengthBytes ?? 0);
    stored.setLayout({ contentLengthBytes, pieceLengthBytes, responseHeader: body.header });
  }

  /**
   * Bytes before this position that are on disk and are requested again, to be compared: an origin that does not say which
   * version it sends may send another one than before.
   */
  #heldBefore(position: number): number {
    const { stored } = this.#options;
    const { layout } = stored;
    if (!layout) return 0;
    const count = Math.min(position, comparedBytes);
    return isOnDisk(stored, layout.pieceLengthBytes, { from: position - count, to: position }) ? count : 0;
  }

  /**
   * Cuts the body into pieces. An answer that starts before the wanted byte (no range support) is skipped up to it. @param
   * compared bytes that must be those on disk
   */
  async #receive(body: SourceBody, compared: ByteSpan): Promise<void> {
    const { stored, limiters, signal, onBytes, onBegun, onGivenUp } = this.#options;
    const pieceLength = stored.pieceLengthBytes ?? 0;
    const bodyEnd = body.startBytes + (body.lengthBytes ?? Infinity);
    const takes = (number: number): boolean => this.#takes(number);
    using cutter = new PieceCutter({ stored, takes, onBegun, onGivenUp });
    let position = body.startBytes;
    this.#startBytes = position;
    this.#startedMs = performance.now();
    // Children that wait for the first piece hear of it now, so that they have requested it when its first bytes arrive.
    if (stored.layout !== undefined && position < stored.layout.contentLengthBytes) cutter.begin(position);
    await body.readTo(async (block) => {
      signal.throwIfAborted();
      await payAll(limiters(), block.length, signal);
      if (position < compared.to) await this.#compare(block, position, compared);
      for (let used = 0; used < block.length;) {
        const room = Math.min(pieceLength - (position % pieceLength), block.length - used);
        await cutter.write(position, block.subarray(used, used + room));
        position += room;
        used += room;
        this.#position = position;
        onBytes();
        // The rest belongs to others, or is on disk already.
        if (position < bodyEnd && !this.#needs(position, bodyEnd)) throw shortened;
      }
    });
    if (!stored.layout) {
      await cutter.end();
      stored.finish({ contentLengthBytes: position });
    } else if (this.#needs(position, bodyEnd))
      throw new DragonflyError('SOURCE_UNREACHABLE', `the origin's answer ended at byte ${position} of ${bodyEnd}`);
  }

  /** Rejects with SOURCE_CHANGED. */
  async #compare(block: Uint8Array, position: number, { from, to }: ByteSpan): Promise<void> {
    const [start, end] = [Math.max(from, position), Math.min(to, position + block.length)];
    if (start >= end) return;
    const held = Buffer.allocUnsafe(end - start);
    const file = this.#options.stored.content.acquire();
    try {
      await readFully(file.fd, held, start);
    } finally {
      file.release();
    }
    if (held.equals(block.subarray(start - position, end - position))) return;
    throw new DragonflyError('SOURCE_CHANGED', 'the origin now sends other bytes than before', {
      hint: 'Download it again; give --digest to be sure of what you get.',
    });
  }

  /** Whether wanted bytes follow this position of the response. */
  #needs(position: number, bodyEnd: number): boolean {
    const { stored } = this.#options;
    const { layout } = stored;
    if (!layout) return true;
    return spansOf(this.#run, layout).some(({ from, to }) => {
      const span = { from: Math.max(from, position), to: Math.min(to, bodyEnd) };
      return firstMissingByte(stored, layout.pieceLengthBytes, span) !== undefined;
    });
  }

  /** Whether this fetch still has to bring bytes of the piece. */
  #takes(number: number): boolean {
    const { layout, pieceLengthBytes = 1 } = this.#options.stored;
    if (!layout) return this.#run.end === undefined || number < this.#run.end;
    const start = number * pieceLengthBytes;
    return spansOf(this.#run, layout).some(({ from, to }) => from < start + pieceLengthBytes && to > start);
  }
}

/** By bytes before it. */
function extended({ start, length }: ByteRange, before: number): ByteRange {
  return { start: start - before, length: length + before };
}

function isPart({ range, suffixBytes }: Pick<SourceRequest, 'range' | 'suffixBytes'>): boolean {
  return range !== undefined || suffixBytes !== undefined;
}
