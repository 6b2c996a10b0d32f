/** The downloads that ended last, each with its main sources. Kept for watchers; plays no role in decisions. */
import { maxEndedDownloads, maxSourcesPerDownload } from '../limits.ts';
import type { TaskWords } from './traffic-book.ts';

/** Times are of the monotonic clock. */
export interface EndedDownload {
  /** Counts up from 1. */
  readonly number: number;
  readonly taskId: string;
  readonly hostId: string;
  readonly hostName: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly succeeded: boolean;
  readonly originBytes: number;
  readonly peerBytes: number;
  /** The main sources, largest first. */
  readonly sources: readonly DownloadSource[];
  readonly about: TaskWords;
}

export interface DownloadSource {
  readonly hostName: string;
  readonly pieces: number;
}

export class DownloadLog {
  readonly #ended: EndedDownload[] = [];
  /** The next index to write once the log is full. */
  #next = 0;
  #number = 0;

  /** Replaces the oldest when the log is full. */
  add(download: Omit<EndedDownload, 'number'>): void {
    this.#number += 1;
    const sources = download.sources
      .toSorted((one, other) => other.pieces - one.pieces)
      .slice(0, maxSourcesPerDownload);
    this.#ended[this.#next] = { ...download, sources, number: this.#number };
    this.#next = (this.#next + 1) % maxEndedDownloads;
  }

  /** The downloads after that number that are still remembered, oldest first. */
  since(number: number): EndedDownload[] {
    const fresh = Math.min(this.#number - number, this.#ended.length);
    const oldestFirst = [...this.#ended.slice(this.#next), ...this.#ended.slice(0, this.#next)];
    return fresh <= 0 ? [] : oldestFirst.slice(-fresh);
  }
}
