/** Recordings of ended distributions, and the memory that all recordings share. */
import { maxAllRecordedMoves, maxEndedRecordings } from '../limits.ts';
import { Recording, type RecordingRoom } from './recording.ts';

export class RecordingShelf implements RecordingRoom {
  /** Keyed by the number of the distribution, oldest first. */
  readonly #ended = new Map<number, Recording>();
  #moves = 0;

  begin(nowMs: number): Recording {
    return new Recording(nowMs, this);
  }

  /** Drops ended recordings to make room for running ones. */
  take(moves: number): boolean {
    while (this.#moves + moves > maxAllRecordedMoves && this.#ended.size > 0) this.#dropOldest();
    if (this.#moves + moves > maxAllRecordedMoves) return false;
    this.#moves += moves;
    return true;
  }

  /** A distribution to a single node is not worth showing. */
  keep(number: number, recording: Recording): void {
    if (recording.capacity === 0 || recording.peers.length < 2) return this.drop(recording);
    this.#ended.set(number, recording);
    if (this.#ended.size > maxEndedRecordings) this.#dropOldest();
  }

  drop({ capacity }: Recording): void {
    this.#moves -= capacity;
  }

  ofDistribution(number: number): Recording | undefined {
    return this.#ended.get(number);
  }

  #dropOldest(): void {
    for (const [number, recording] of this.#ended) {
      this.#ended.delete(number);
      this.drop(recording);
      return;
    }
  }
}
