/** The announcement streams of one download's parents: which are open, and when one that has ended is opened again. */
import { downloadLimits } from './limits.ts';

/** `broke`; `ended` normally, though the parent may get more; `told-all`: the parent has announced everything. */
export type StreamEnd = 'broke' | 'ended' | 'told-all';

interface Stream {
  /** Consecutive failures. */
  failures: number;
  /** When it is opened again; infinite while it is open, or not opened any more. */
  openAtMs: number;
}

export class ParentStreams {
  readonly #streams = new Map<string, Stream>();
  /** When the next stream is due to be opened again; infinite while none is. */
  dueMs = Number.POSITIVE_INFINITY;

  get count(): number {
    return this.#streams.size;
  }

  get parentIds(): Iterable<string> {
    return this.#streams.keys();
  }

  has(parentId: string): boolean {
    return this.#streams.has(parentId);
  }

  opened(parentId: string): void {
    this.#streams.set(parentId, { failures: 0, openAtMs: Number.POSITIVE_INFINITY });
  }

  /** False when there was none. */
  left(parentId: string): boolean {
    return this.#streams.delete(parentId);
  }

  /**
   * Decides after the end of a stream: it is opened again, now or later, or the parent is lost. @param hasMore pieces
   * are missing that the parent could still announce.
   */
  ended(parentId: string, end: StreamEnd, hasMore: boolean, nowMs: number): 'open-again' | 'nothing' | 'lost' {
    const stream = this.#streams.get(parentId);
    if (!stream) return 'nothing';
    if (end === 'broke') {
      stream.failures += 1;
      return stream.failures < downloadLimits.parentStreamAttempts ? 'open-again' : 'lost';
    }
    stream.failures = 0;
    if (end === 'ended' && hasMore) {
      stream.openAtMs = nowMs + downloadLimits.parentStreamPauseMs;
      this.dueMs = Math.min(this.dueMs, stream.openAtMs);
    }
    return 'nothing';
  }

  /** Streams that are due to be opened again. */
  due(nowMs: number): readonly string[] {
    const due: string[] = [];
    this.dueMs = Number.POSITIVE_INFINITY;
    for (const [parentId, stream] of this.#streams) {
      if (stream.openAtMs <= nowMs) {
        stream.openAtMs = Number.POSITIVE_INFINITY;
        due.push(parentId);
      } else this.dueMs = Math.min(this.dueMs, stream.openAtMs);
    }
    return due;
  }
}
