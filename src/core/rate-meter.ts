/** Bytes per second over the last moments: what a line carries now, not on average. */
const bucketMs = 25;
const buckets = 10;

export class RateMeter {
  readonly #bytes = new Float64Array(buckets);
  /** Number of the newest bucket since time 0. */
  #newest = 0;

  add(bytes: number, nowMs: number): void {
    const place = this.#moveTo(nowMs) % buckets;
    this.#bytes[place] = (this.#bytes[place] ?? 0) + bytes;
  }

  bytesPerSec(nowMs: number): number {
    const newest = this.#moveTo(nowMs);
    const sum = this.#bytes.reduce((total, bytes) => total + bytes, 0);
    // the newest bucket is not full yet
    return (sum * 1000) / ((buckets - 1) * bucketMs + (nowMs - newest * bucketMs));
  }

  #moveTo(nowMs: number): number {
    const bucket = Math.max(this.#newest, Math.floor(nowMs / bucketMs));
    for (let step = Math.max(this.#newest + 1, bucket - buckets + 1); step <= bucket; step += 1)
      this.#bytes[step % buckets] = 0;
    this.#newest = bucket;
    return bucket;
  }
}
