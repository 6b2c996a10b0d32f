/** The addresses of this scheduler. Its ports are known only once they are bound, and nothing asks before that. */
import { hostPort } from '../../core/net/host-port.ts';

export class OwnAddresses {
  readonly ip: string;
  readonly #advertisePort: number | undefined;
  #grpcPort = 0;
  #metricsPort: number | undefined;

  /** @param advertisePort that daemons dial instead of the bound one. */
  constructor(ip: string, advertisePort: number | undefined) {
    this.ip = ip;
    this.#advertisePort = advertisePort;
  }

  bound(grpcPort: number): void {
    this.#grpcPort = grpcPort;
  }

  metricsBound(port: number): void {
    this.#metricsPort = port;
  }

  /** That daemons dial. */
  get advertisedPort(): number {
    return this.#advertisePort ?? this.#grpcPort;
  }

  /** `host:port` that daemons dial. */
  get advertised(): string {
    return hostPort(this.ip, this.advertisedPort);
  }

  /** The addresses by which callers may name this scheduler. */
  get all(): readonly string[] {
    return [...new Set([this.#grpcPort, this.advertisedPort])].map((port) => hostPort(this.ip, port));
  }

  /** Ports of this machine that must not be used as origins. */
  get ports(): ReadonlySet<number> {
    return new Set(this.#metricsPort === undefined ? [this.#grpcPort] : [this.#grpcPort, this.#metricsPort]);
  }
}
