/** Counts what the S3 door sent, by the bucket name that clients use. */
import { Counter, Histogram, type Registry } from '../../../../core/metrics.ts';
import type { CallRecord } from '../../client-call.ts';

const prefix = 'dragonfly_dfdaemon_s3_';

export class S3Metrics {
  readonly #requests: Counter<'bucket' | 'way'>;
  readonly #bytes: Counter<'bucket' | 'way'>;
  readonly #firstByte: Histogram<'way'>;

  constructor(registry: Registry) {
    const labelNames = ['bucket', 'way'] as const;
    const registers = [registry];
    this.#requests = new Counter({
      name: `${prefix}request_total`,
      help: 'Requests of clients of S3, by bucket and by who answered: peers, cache, direct (the store), refused.',
      labelNames,
      registers,
    });
    this.#bytes = new Counter({
      name: `${prefix}request_bytes_total`,
      help: 'Bytes of bodies sent to clients of S3.',
      labelNames,
      registers,
    });
    this.#firstByte = new Histogram({
      name: `${prefix}first_byte_seconds`,
      help: 'Time from the request of a client of S3 to the first byte of the answer.',
      labelNames: ['way'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
      registers,
    });
  }

  /** @param bucket a configured one; empty where the request names none of them. */
  ended(bucket: string, { way, bytes, firstByteMs }: CallRecord): void {
    this.#requests.inc({ bucket, way });
    this.#bytes.inc({ bucket, way }, bytes);
    if (firstByteMs !== undefined) this.#firstByte.observe({ way }, firstByteMs / 1000);
  }
}
