/**
 * Plain requests to origins on behalf of a client: any method, streamed both ways, redirects handed back to the client.
 * TLS is verified and every address is judged by the egress policy, as for downloads.
 */
import { lookup, type LookupAddress } from 'node:dns';
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import { connect as netConnect, isIP, type LookupFunction, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { DragonflyError } from '../../core/errors.ts';
import { EgressPolicy, type EgressRules } from '../source/egress-policy.ts';
import type { Trust, TrustStore } from '../source/trust-store.ts';
import type { HeaderRecord } from './header.ts';
import { proxyLimits } from './limits.ts';

export interface UpstreamRequest {
  readonly method: string;
  readonly url: URL;
  /** Without hop-by-hop names and Host. */
  readonly header: Readonly<HeaderRecord>;
  /** The client's body; absent for methods without one. */
  readonly body?: Readable | undefined;
  readonly trust: Trust;
  /** The client may reach services on this very machine. */
  readonly loopbackAllowed: boolean;
  readonly signal: AbortSignal;
}

const maxAgents = 64;

export class Upstream {
  readonly #policy: EgressPolicy;
  readonly #trust: TrustStore;
  readonly #plain = new HttpAgent(agentOptions);
  /** One pool of TLS connections per way of judging certificates: they must not be shared. */
  readonly #agents = new LRUCache<string, HttpsAgent>({ max: maxAgents, dispose: (agent) => agent.destroy() });

  constructor(egress: EgressRules, trust: TrustStore) {
    this.#policy = new EgressPolicy(egress);
    this.#trust = trust;
  }

  /**
   * Resolves with the answer's header; the body is the caller's to read or destroy.
   * Errors: SOURCE_UNREACHABLE, PERMISSION_DENIED by the egress policy, CANCELLED, DEADLINE_EXCEEDED.
   */
  async send(request: UpstreamRequest): Promise<IncomingMessage> {
    const repeatable = request.body === undefined;
    try {
      return await this.#attempt(request);
    } catch (error) {
      // The origin closed a kept connection while we wrote to it: a fresh one answers.
      if (!(repeatable && error instanceof StaleConnectionError)) throw this.#describe(request, error);
    }
    try {
      return await this.#attempt(request);
    } catch (error) {
      throw this.#describe(request, error);
    }
  }

  /** A bare TCP connection for a tunnel. */
  async dial(host: string, port: number, options: { loopbackAllowed: boolean; signal: AbortSignal }): Promise<Socket> {
    const check = this.#checker(host, port, options.loopbackAllowed);
    if (isIP(host)) check(host);
    const socket = netConnect({ host, port, lookup: checkedLookup(check), noDelay: true });
    const abort = (): void => void socket.destroy(options.signal.reason as Error);
    const timer = setTimeout(() => socket.destroy(timedOut(host)), proxyLimits.connectTimeoutMs);
    options.signal.addEventListener('abort', abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      });
      return socket;
    } catch (error) {
      throw unreachable(host, error);
    } finally {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', abort);
    }
  }

  [Symbol.dispose](): void {
    this.#plain.destroy();
    this.#agents.clear();
  }

  #attempt(request: UpstreamRequest): Promise<IncomingMessage> {
    const { url, signal, body } = request;
    signal.throwIfAborted();
    const outgoing = this.#open(request);
    return new Promise((resolve, reject) => {
      const abort = (): void => void outgoing.destroy(signal.reason as Error);
      const timer = setTimeout(
        () => outgoing.destroy(timedOut(url.host)),
        proxyLimits.connectTimeoutMs + proxyLimits.upstreamHeaderTimeoutMs,
      );
      const settle = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      };
      signal.addEventListener('abort', abort, { once: true });
      outgoing.once('response', (message) => {
        settle();
        message.setTimeout(proxyLimits.upstreamIdleTimeoutMs, () => message.destroy(timedOut(url.host)));
        resolve(message);
      });
      outgoing.on('error', (error) => {
        settle();
        reject(outgoing.reusedSocket && isReset(error) ? new StaleConnectionError(error) : error);
      });
      if (body) {
        body.once('error', (error) => outgoing.destroy(error));
        body.pipe(outgoing);
      } else outgoing.end();
    });
  }

  #open({ method, url, header, trust, loopbackAllowed }: UpstreamRequest): ClientRequest {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const secure = url.protocol === 'https:';
    const port = Number(url.port) || (secure ? 443 : 80);
    const check = this.#checker(host, port, loopbackAllowed);
    if (isIP(host)) check(host);
    const options: RequestOptions = {
      method,
      host,
      port,
      path: url.pathname + url.search,
      headers: { host: url.host, ...header },
      lookup: checkedLookup(check),
      setDefaultHeaders: false,
    };
    if (!secure) return httpRequest({ ...options, agent: this.#plain });
    return httpsRequest({ ...options, agent: this.#agent(host, port, trust) });
  }

  #agent(host: string, port: number, trust: Trust): HttpsAgent {
    const { rejectUnauthorized, secureContext, ALPNProtocols } = this.#trust.connectionOptions(host, port, trust);
    const key = `${rejectUnauthorized} ${this.#trust.keyOf(trust)}`;
    const known = this.#agents.get(key);
    if (known) return known;
    const agent = new HttpsAgent({ ...agentOptions, rejectUnauthorized, secureContext, ALPNProtocols });
    this.#agents.set(key, agent);
    return agent;
  }

  #checker(host: string, port: number, loopbackAllowed: boolean): (address: string) => void {
    return (address) => this.#policy.check(host, { address, port, loopbackAllowed });
  }

  #describe({ url, signal }: UpstreamRequest, error: unknown): unknown {
    if (signal.aborted) return signal.reason;
    return unreachable(url.host, error instanceof StaleConnectionError ? error.cause : error);
  }
}

const agentOptions = {
  keepAlive: true,
  keepAliveMsecs: 30_000,
  noDelay: true,
  maxSockets: proxyLimits.upstreamConnections,
  maxFreeSockets: proxyLimits.upstreamIdleConnections,
  timeout: proxyLimits.upstreamIdleTimeoutMs,
};

class StaleConnectionError extends Error {
  constructor(cause: unknown) {
    super('the kept connection was closed', { cause });
  }
}

function isReset(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function timedOut(host: string): DragonflyError {
  return new DragonflyError('SOURCE_UNREACHABLE', `${host} did not answer in time`, {
    hint: 'Check that the origin is up and reachable from this node.',
  });
}

function unreachable(host: string, error: unknown): DragonflyError {
  if (error instanceof DragonflyError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME/.test(code ?? '');
  return new DragonflyError('SOURCE_UNREACHABLE', `cannot reach ${host}: ${message}`, {
    cause: error,
    hint: certificate
      ? 'Name the authority of the origin in the configuration (registryMirror.certs, hijackHTTPS.hosts[].certs).'
      : 'Check the name, the port and that the origin is reachable from this node.',
  });
}

/** Resolves a name and judges the very address the socket will use, so that a name cannot change in between. */
function checkedLookup(check: (address: string) => void): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error) return callback(error, []);
      let refusal: unknown;
      const allowed = addresses.filter(({ address }) => {
        try {
          check(address);
          return true;
        } catch (reason) {
          refusal = reason;
          return false;
        }
      });
      const [first] = allowed;
      if (!first) return callback((refusal ?? new Error('no address')) as Error, []);
      if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}
