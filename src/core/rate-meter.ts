/** Bytes per second over a short window: the current rate of a link, not its average. */
const bucketMs = 25;
const buckets = 10;
const latestBuckets = 3;

export class RateMeter {
  readonly #bytes = new Float64Array(buckets);
  /** Number of the newest bucket since time 0. */
  #newest = 0;

  add(bytes: number, nowMs: number): void {
    const place = this.#moveTo(nowMs) % buckets;
    this.#bytes[place] = (this.#bytes[place] ?? 0) + bytes;
  }

  /** Over 225 to 250 ms. */
  bytesPerSec(nowMs: number): number {
    return this.#mean(buckets, nowMs);
  }

  /** Averaged over 50 to 75 ms: noisy, but shows at once that a link has become idle. */
  latestBytesPerSec(nowMs: number): number {
    return this.#mean(latestBuckets, nowMs);
  }

  #mean(count: number, nowMs: number): number {
    const newest = this.#moveTo(nowMs);
    let sum = 0;
    for (let back = 0; back < Math.min(count, newest + 1); back += 1)
      sum += this.#bytes[(newest - back) % buckets] ?? 0;
    // the newest bucket is still filling
    return (sum * 1000) / ((count - 1) * bucketMs + (nowMs - newest * bucketMs));
  }

  #moveTo(nowMs: number): number {
    const bucket = Math.max(this.#newest, Math.floor(nowMs / bucketMs));
    for (let step = Math.max(this.#newest + 1, bucket - buckets + 1); step <= bucket; step += 1)
      this.#bytes[step % buckets] = 0;
    this.#newest = bucket;
    return bucket;
  }
}
