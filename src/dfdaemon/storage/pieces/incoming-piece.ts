/**
 * A piece while it is being written, as readers and children see it: they may have bytes that are in the file and that
 * the writer vouches for. If the piece is given up, the bytes already given out are kept, to be compared with those
 * that come instead.
 */
import { maxMarks } from '../limits.ts';

/** A written part of the piece; `end` is one past its last byte. */
interface WrittenSpan {
  from: number;
  end: number;
}

/** A position in the piece, with the CRC-32 of the bytes before it. */
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
  /** Ascending; the last ones may lie beyond what is written. */
  readonly #marks: PieceMark[] = [];
  /** Written parts of a piece that does not arrive in order; ascending, with gaps between them. */
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

  /** For a piece that was given up: the bytes that were given out, if the disk could read them back. */
  get kept(): Buffer | undefined {
    return this.#kept;
  }

  /** How many bytes were given out. */
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

  /** End of the bytes readable from `from` on, for readers on this node; `from` itself when that byte has not arrived. */
  readableEnd(from: number): number {
    const span = this.#spans.find(({ from: first, end }) => first <= from && from < end);
    return Math.max(from, span?.end ?? 0, this.markAfter(from)?.bytes ?? 0);
  }

  /** Called when more can be read, and at the end. The returned function stops it. */
  onProgress(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** This much of the piece was given out. */
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

  /** These bytes come from a trusted source, and are in the file. */
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
