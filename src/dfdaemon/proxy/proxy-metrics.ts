/** Metrics of the proxy, under the original's names where it has them. */
import type { ErrorCode } from '../../core/errors.ts';
import { Counter, Gauge, Histogram, type Registry } from '../../core/metrics.ts';
import type { ClientMetrics } from '../client-metrics.ts';
import type { Receipt } from '../task/open-task.ts';
import type { CallRecord, Way } from './client-call.ts';

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT']);
const prefix = 'dragonfly_dfdaemon_proxy_';

export type BodySource = 'local' | 'peer' | 'origin' | 'direct' | 'tunnel';

export class ProxyMetrics {
  readonly #requests: Counter<'method'>;
  readonly #viaPeers: Counter;
  readonly #direct: Counter;
  readonly #tunnels: Counter;
  readonly #running: Gauge<'method'>;
  readonly #bytes: Counter<'method'>;
  readonly #sources: Counter<'source'>;
  readonly #fallbacks: Counter<'reason'>;
  readonly #firstByte: Histogram<'way'>;
  readonly #counted = new WeakSet<Receipt>();

  readonly #client: ClientMetrics | undefined;

  /** @param client gets the same values, for dashboards of the Rust client. */
  constructor(registry: Registry, client?: ClientMetrics) {
    this.#client = client;
    const registers = [registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> =>
      new Counter({ name: prefix + name, help, labelNames, registers });
    this.#requests = counter('request_total', 'Requests of clients.', ['method']);
    this.#viaPeers = counter('request_via_dragonfly_total', 'Requests answered with content of the peers.');
    this.#direct = counter('request_not_via_dragonfly_total', 'Requests answered by the origin itself.');
    this.#tunnels = counter('request_tunnel_total', 'CONNECT requests passed through unread.');
    this.#running = new Gauge({
      name: `${prefix}request_running_total`,
      help: 'Requests being answered now.',
      labelNames: ['method'],
      registers,
    });
    this.#bytes = counter('request_bytes_total', 'Bytes of bodies sent to clients.', ['method']);
    this.#sources = counter('source_bytes_total', 'Bytes by where they came from.', ['source']);
    this.#fallbacks = counter('fallback_total', 'Downloads that failed and were asked of the source.', ['reason']);
    this.#firstByte = new Histogram({
      name: `${prefix}first_byte_seconds`,
      help: 'Time from the request to the first byte of the answer.',
      labelNames: ['way'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
      registers,
    });
  }

  /** Counts a request as running; call the result when it ends. */
  begin(method: string): (record: CallRecord) => void {
    const labels = { method: knownMethods.has(method) ? method : 'OTHER' };
    this.#requests.inc(labels);
    this.#running.inc(labels);
    return (record) => {
      this.#running.dec(labels);
      this.#client?.proxied({ byPeers: record.way === 'peers', failed: record.error !== undefined });
      this.#bytes.inc(labels, record.bytes);
      this.#countWay(record.way, record.bytes);
      if (record.firstByteMs !== undefined) this.#firstByte.observe({ way: record.way }, record.firstByteMs / 1000);
    };
  }

  fellBack(reason: ErrorCode): void {
    this.#fallbacks.inc({ reason });
  }

  bodyBytes(source: BodySource, bytes: number): void {
    this.#sources.inc({ source }, bytes);
  }

  /** Counts a receipt once, even when several readers of one download report it. */
  receipt(receipt: Receipt): void {
    if (this.#counted.has(receipt)) return;
    this.#counted.add(receipt);
    const fromPeers = receipt.parents.reduce((sum, parent) => sum + parent.bytes, 0);
    this.bodyBytes('peer', fromPeers);
    this.bodyBytes('origin', receipt.bytesFromOrigin);
    this.bodyBytes('local', receipt.bytesFromLocal);
  }

  #countWay(way: Way, bytes: number): void {
    if (way === 'peers' || way === 'cache') {
      this.#viaPeers.inc();
      if (way === 'cache') this.bodyBytes('local', bytes);
    } else if (way === 'tunnel') {
      this.#tunnels.inc();
      this.bodyBytes('tunnel', bytes);
    } else if (way !== 'refused') {
      this.#direct.inc();
      this.bodyBytes('direct', bytes);
    }
  }
}
