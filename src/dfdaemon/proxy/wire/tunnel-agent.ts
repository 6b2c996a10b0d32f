/** Connections of node:https through the company's proxy. */
import { Agent, type AgentOptions, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { ProxyHop } from '../../../core/net/outbound-proxy.ts';
import { openTunnel } from '../../source/http/proxy-tunnel.ts';

type Opened = (error: Error | null, stream: Duplex) => void;

export class TunnelAgent extends Agent {
  readonly #hop: ProxyHop;
  readonly #proxyTls: ConnectionOptions;
  /** Requests end their own waiting; connections they have begun end with the agent. */
  readonly #ending = new AbortController();

  constructor(options: AgentOptions, hop: ProxyHop, proxyTls: ConnectionOptions) {
    super(options);
    this.#hop = hop;
    this.#proxyTls = proxyTls;
  }

  override createConnection(options: RequestOptions, opened?: Opened): undefined {
    void this.#open(options, opened ?? (() => undefined));
  }

  override destroy(): void {
    this.#ending.abort(new DOMException('the agent is closed', 'AbortError'));
    super.destroy();
  }

  async #open(options: RequestOptions, opened: Opened): Promise<void> {
    const { host, port } = options;
    try {
      const target = { host: String(host), port: Number(port), signal: this.#ending.signal, proxyTls: this.#proxyTls };
      const tunnel = await openTunnel(this.#hop, target);
      opened(null, connectTls({ ...(options as ConnectionOptions), path: undefined, socket: tunnel }));
    } catch (error) {
      opened(error as Error, undefined as never);
    }
  }
}
