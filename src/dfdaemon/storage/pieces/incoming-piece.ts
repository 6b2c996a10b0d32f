/**
 * A piece while it is being written, as readers and children see it: they may have the bytes that are in the file and that
 * its writer vouches for. What they were given of a piece that is then given up is kept, so that it can be compared with
 * what comes instead.
 */
import { maxMarks } from '../limits.ts';

/** Bytes of the piece that are in the file; `end` is one past the last. */
interface WrittenSpan {
  from: number;
  end: number;
}

/** A place in the piece: so many bytes, and their CRC-32. */
export interface PieceMark {
  readonly bytes: number;
  readonly crc32: number;
}

export interface IncomingSpan {
  readonly number: number;
  readonly offset: number;
  /** Length of the complete piece; while the length of the content is unknown, its upper bound. */
  readonly maxLengthBytes: number;
  readonly lengthKnown: boolean;
}

export class IncomingPiece {
  readonly span: IncomingSpan;
  readonly #listeners = new Set<() => void>();
  /** Ascending; the last ones may lie ahead of what is written. */
  readonly #marks: PieceMark[] = [];
  /** Of a piece that does not come in order; ascending, with gaps between them. */
  readonly #spans: WrittenSpan[] = [];
  #written = 0;
  #given = 0;
  #kept: Buffer | undefined;
  #state: 'writing' | 'committed' | 'aborted' = 'writing';

  constructor(span: IncomingSpan) {
    this.span = span;
  }

  get state(): 'writing' | 'committed' | 'aborted' {
    return this.#state;
  }

  /** Of a piece that was given up: what was given of it, if the disk has given that back. */
  get kept(): Buffer | undefined {
    return this.#kept;
  }

  /** How much was given to anybody. */
  get givenBytes(): number {
    return this.#given;
  }

  /** The furthest readable mark after `bytes`, but at most `reachBytes` away if there is one that near. */
  markAfter(bytes: number, reachBytes = Infinity): PieceMark | undefined {
    let found: PieceMark | undefined;
    for (const mark of this.#marks) {
      if (mark.bytes > this.#written || (found && mark.bytes > bytes + reachBytes)) break;
      if (mark.bytes > bytes) found = mark;
    }
    return found;
  }

  /** End of the readable bytes from `from` on, for readers on this node; `from` itself when that byte is not here yet. */
  readableEnd(from: number): number {
    const span = this.#spans.find(({ from: first, end }) => first <= from && from < end);
    return Math.max(from, span?.end ?? 0, this.markAfter(from)?.bytes ?? 0);
  }

  /** Called when more can be read, and at the end. Returns how to stop. */
  onProgress(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Somebody was given this much of the piece. */
  given(bytes: number): void {
    this.#given = Math.max(this.#given, bytes);
  }

  // The methods below are for the writer.

  vouch(mark: PieceMark): void {
    if (this.#marks.length === maxMarks) this.#marks.pop();
    this.#marks.push(mark);
    if (mark.bytes <= this.#written) this.#tell();
  }

  wrote(bytes: number): void {
    this.#written = bytes;
    if (this.#marks.length > 0) this.#tell();
  }

  /** These bytes came from where they can be trusted, and are in the file. */
  filled(from: number, end: number): void {
    const spans = this.#spans;
    const first = spans.findIndex((span) => span.end >= from);
    const at = first < 0 ? spans.length : first;
    const joined: WrittenSpan = { from, end };
    let count = 0;
    for (let span = spans[at]; span && span.from <= end; span = spans[at + count]) {
      joined.from = Math.min(joined.from, span.from);
      joined.end = Math.max(joined.end, span.end);
      count += 1;
    }
    spans.splice(at, count, joined);
    this.#tell();
  }

  /** One past the last byte of the part that begins with the first byte of the piece. */
  get filledFromStart(): number {
    const [first] = this.#spans;
    return first?.from === 0 ? first.end : 0;
  }

  end(state: 'committed' | 'aborted', kept: Buffer | undefined): void {
    this.#state = state;
    this.#kept = kept;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
