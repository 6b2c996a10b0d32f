/**
 * Plain requests to origins on behalf of a client: any method, streamed both ways, with redirects returned to the
 * client. TLS is verified and every address is checked against the egress policy, as for downloads.
 *
 * Connections are kept and shared by clients. The origin may have closed a kept one a moment ago: a request that fails
 * on such a connection is sent again over a fresh one, once, if nothing of an answer has come and its body is still
 * held. A request whose body cannot be sent twice gets a fresh connection from the start.
 */
import { lookup, type LookupAddress } from 'node:dns';
import {
  Agent as HttpAgent,
  type AgentOptions,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type InformationEvent,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import { connect as netConnect, isIP, type LookupFunction, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { hostPort } from '../../../core/net/host-port.ts';
import { refuseService } from '../../../core/net/no-origin.ts';
import { hopKey, type ProxyHop } from '../../../core/net/outbound-proxy.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import { EgressPolicy, type EgressRules } from '../../source/egress-policy.ts';
import { openTunnel } from '../../source/http/proxy-tunnel.ts';
import type { Trust, TrustStore } from '../../source/trust-store.ts';
import { wayOut } from '../../source/http/way-out.ts';
import type { OwnConnections } from './connection-sign-in.ts';
import { asBytes, asWrittenByNode } from './node-header.ts';
import type { HeaderLines, HeaderRecord } from './header.ts';
import { proxyLimits } from '../limits.ts';
import type { RequestBody } from './request-body.ts';
import { TunnelAgent } from './tunnel-agent.ts';
import {
  hopWantsCredentials,
  isReset,
  StaleConnectionError,
  timedOut,
  unaskedUpgrade,
  unreachable,
  unservedCoding,
} from './upstream-errors.ts';

export interface UpstreamRequest {
  readonly method: string;
  readonly url: URL;
  /** Path and query as the client wrote them. */
  readonly target?: string | undefined;
  /** Without hop-by-hop names and Host. */
  readonly header: Readonly<HeaderRecord>;
  readonly trust: Trust;
  /** The client may reach services on this very machine. */
  readonly loopbackAllowed: boolean;
  readonly signal: AbortSignal;
  /** A client's own request to be forwarded; it replaces what `url` and `header` would produce. */
  readonly own?: ClientsOwn | undefined;
}

export interface ClientsOwn {
  /** Request target, byte for byte. */
  readonly target: string;
  /** Complete, including Host and framing. */
  readonly lines: HeaderLines;
  readonly body: RequestBody | undefined;
  /** The origin may answer 101; the connection is then the answer's `socket`. */
  readonly upgrade: boolean;
  /** The origin signs in connections: these are the client's own. */
  readonly connections?: OwnConnections | undefined;
  /** How long the origin may be silent once it is connected, before its answer and inside of it. */
  readonly silenceMs: number;
  /** Called for 100, 102 and 103, before the answer. */
  readonly onInformation: (information: InformationEvent) => void;
}

const maxAgents = 64;
const noBytes = Buffer.alloc(0);

export class Upstream {
  readonly #policy: EgressPolicy;
  readonly #trust: TrustStore;
  readonly #plain = { kept: new HttpAgent(keptConnections), fresh: new HttpAgent(freshConnections) };
  /** One pool of TLS connections per trust setting: they must not be shared. */
  readonly #agents = new LRUCache<string, Agents<HttpsAgent>>({ max: maxAgents, dispose: destroy });

  constructor(egress: EgressRules, trust: TrustStore) {
    this.#policy = new EgressPolicy(egress);
    this.#trust = trust;
  }

  /**
   * Resolves with the answer's header, which may come before the whole body was sent; the caller reads or destroys the
   * answer's body. Errors: SOURCE_UNREACHABLE, PERMISSION_DENIED by the egress policy, CANCELLED, DEADLINE_EXCEEDED.
   */
  async send(request: UpstreamRequest): Promise<IncomingMessage> {
    const { own } = request;
    const repeatable = own?.body?.repeatable ?? true;
    try {
      // Lets node see which kept connections have closed before one of them is chosen.
      const hop = await this.#wayOut(request);
      if (own?.body && repeatable) await nextTurn();
      const alone = own?.upgrade === true || !(repeatable || own?.connections);
      return await this.#attempt(request, { hop, connection: alone ? 'fresh' : 'kept' });
    } catch (error) {
      if (!(error instanceof StaleConnectionError && (own?.body?.repeatable ?? true))) {
        throw this.#describe(request, error);
      }
    }
    try {
      return await this.#attempt(request, { hop: await this.#wayOut(request), connection: 'fresh' });
    } catch (error) {
      throw this.#describe(request, error);
    }
  }

  /** Opens a bare TCP connection for a tunnel. */
  async dial(host: string, port: number, options: { loopbackAllowed: boolean; signal: AbortSignal }): Promise<Socket> {
    const check = this.#checker(host, port, options.loopbackAllowed);
    if (isIP(host)) check(host);
    const hop = await wayOut(this.#policy, new URL(`https://${hostPort(host, port)}`), check);
    if (hop) return openTunnel(hop, { host, port, signal: options.signal, proxyTls: this.#proxyTls(hop) });
    const socket = netConnect({ host, port, lookup: checkedLookup(check), noDelay: true, allowHalfOpen: true });
    using _aborting = onAbort(options.signal, () => void socket.destroy(options.signal.reason as Error));
    const timer = setTimeout(() => socket.destroy(timedOut(host)), proxyLimits.connectTimeoutMs);
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
    }
  }

  [Symbol.dispose](): void {
    destroy(this.#plain);
    this.#agents.clear();
  }

  #wayOut({ url, loopbackAllowed }: UpstreamRequest): Promise<ProxyHop | undefined> {
    const { host, port } = placeOf(url);
    return wayOut(this.#policy, url, this.#checker(host, port, loopbackAllowed));
  }

  #proxyTls(hop: ProxyHop): ConnectionOptions {
    return this.#trust.connectionOptions(hop.host, hop.port, {});
  }

  #attempt(request: UpstreamRequest, way: Way): Promise<IncomingMessage> {
    const { url, signal, own } = request;
    signal.throwIfAborted();
    const outgoing = this.#open(request, way);
    return new Promise((resolve, reject) => {
      let silent = true;
      const heard = (): void => void (silent = false);
      const aborting = onAbort(signal, () => void outgoing.destroy(signal.reason as Error));
      const late = (): void => void outgoing.destroy(timedOut(url.host));
      let timer = setTimeout(late, proxyLimits.connectTimeoutMs + proxyLimits.upstreamHeaderTimeoutMs);
      const connected = (): void => {
        if (!own || settled) return;
        clearTimeout(timer);
        timer = setTimeout(late, own.silenceMs);
      };
      let settled = false;
      const stopBody = own?.body?.sendTo(outgoing, () => timer.refresh());
      const settle = (): void => {
        settled = true;
        clearTimeout(timer);
        aborting[Symbol.dispose]();
        outgoing.socket?.removeListener('data', heard);
      };
      const answered = (message: IncomingMessage): void => {
        settle();
        own?.body?.release();
        resolve(message);
      };
      outgoing.once('socket', (socket) => {
        socket.once('data', heard);
        if (outgoing.reusedSocket) connected();
        else socket.once(outgoing.protocol === 'https:' ? 'secureConnect' : 'connect', connected);
      });
      if (own) outgoing.on('information', own.onInformation);
      let answer: IncomingMessage | undefined;
      outgoing.once('response', (message) => {
        try {
          refuseService(url.host, message.headers);
        } catch (error) {
          return void outgoing.destroy(error as Error);
        }
        const { hop } = way;
        if (message.statusCode === 407 && hop && url.protocol === 'http:')
          return void outgoing.destroy(hopWantsCredentials(hop));
        if (!isPlainCoding(message)) return void outgoing.destroy(unservedCoding(url.host));
        answer = message;
        answered(message);
        const silenceMs = own?.silenceMs ?? proxyLimits.upstreamIdleTimeoutMs;
        message.setTimeout(silenceMs, () => message.destroy(timedOut(url.host)));
        // Two lengths at once: this answer is read as the coding says, but the connection is not reused.
        if (message.headers['transfer-encoding'] !== undefined && message.headers['content-length'] !== undefined)
          outgoing.shouldKeepAlive = false;
      });
      outgoing.once('upgrade', (message, socket: Socket, head: Buffer) => {
        if (own?.upgrade !== true) return void outgoing.destroy(unaskedUpgrade(url.host));
        if (head.length > 0) socket.unshift(head);
        answered(message);
      });
      outgoing.on('error', (error) => {
        // node:http would take a body that ends with the connection for complete here, too.
        if (answer?.complete === false) answer.destroy(error);
        settle();
        stopBody?.();
        reject(outgoing.reusedSocket && silent && isReset(error) ? new StaleConnectionError(error) : error);
      });
      outgoing.once('close', () => {
        settle();
        stopBody?.();
        if (!silent) own?.body?.drain();
      });
      if (own?.body && !outgoing.writableEnded)
        outgoing.write(noBytes); // the origin may want to answer before the body comes
      else if (!own?.body) outgoing.end();
    });
  }

  #open(
    { method, url, target, header, trust, loopbackAllowed, own }: UpstreamRequest,
    { hop, connection }: Way,
  ): ClientRequest {
    const secure = url.protocol === 'https:';
    const { host, port } = placeOf(url);
    const check = this.#checker(host, port, loopbackAllowed);
    if (isIP(host)) check(host);
    const lines = own ? [...own.lines] : Object.entries({ host: url.host, ...header }).flat();
    const mine = own?.connections;
    if (connection === 'fresh' && own?.upgrade !== true && !mine) closeAfterwards(lines);
    const written = own?.target ?? target ?? url.pathname + url.search;
    // A proxy in front of a plain origin needs the whole URL.
    const absolute = hop !== undefined && !secure;
    if (absolute && hop.authorization !== undefined) lines.push('Proxy-Authorization', hop.authorization);
    const options: RequestOptions = {
      method,
      host: absolute ? hop.host : host,
      port: absolute ? hop.port : port,
      path: absolute ? `http://${url.host}${written.startsWith('/') ? written : ''}` : written,
      headers: asWrittenByNode(lines),
      ...(!hop && { lookup: checkedLookup(check) }),
      setDefaultHeaders: false,
      maxHeaderSize: proxyLimits.headerBytes,
      // Folded lines, bare line feeds and two lengths in an answer are read as RFC 9112 says; they only affect this origin's own
      // clients.
      insecureHTTPParser: true,
    };
    const outgoing =
      secure || (absolute && hop.secure)
        ? httpsRequest({
            ...options,
            agent: this.#secure({ host, port, trust, hop: absolute ? undefined : hop, mine }, connection),
          })
        : httpRequest({
            ...options,
            agent:
              mine?.agent('plain', (alone) => new HttpAgent({ ...keptConnections, ...alone })) ??
              this.#plain[connection],
          });
    outgoing.maxHeadersCount = 0; // their bytes are bounded
    return asBytes(outgoing);
  }

  #secure({ host, port, trust, hop, mine }: SecurePlace, connection: keyof Agents<unknown>): HttpsAgent {
    const { rejectUnauthorized, secureContext, ALPNProtocols } = this.#trust.connectionOptions(host, port, trust);
    const key = `${rejectUnauthorized} ${this.#trust.keyOf(trust)}${hopKey(hop)}`;
    const known = this.#agents.get(key);
    if (known && !mine) return known[connection];
    const tls = { rejectUnauthorized, secureContext, ALPNProtocols };
    const agent = (kind: AgentOptions): HttpsAgent =>
      hop ? new TunnelAgent({ ...kind, ...tls }, hop, this.#proxyTls(hop)) : new HttpsAgent({ ...kind, ...tls });
    if (mine) return mine.agent(key, (alone) => agent({ ...keptConnections, ...alone }));
    const agents = { kept: agent(keptConnections), fresh: agent(freshConnections) };
    this.#agents.set(key, agents);
    return agents[connection];
  }

  #checker(host: string, port: number, loopbackAllowed: boolean): (address: string) => void {
    return (address) => this.#policy.check(host, { address, port, loopbackAllowed });
  }

  #describe({ url, signal }: UpstreamRequest, error: unknown): unknown {
    if (signal.aborted) return signal.reason;
    return unreachable(url.host, error instanceof StaleConnectionError ? error.cause : error);
  }
}

/** The proxy to use, if any, and the kind of connection. */
interface Way {
  readonly hop: ProxyHop | undefined;
  readonly connection: keyof Agents<unknown>;
}

interface SecurePlace {
  readonly host: string;
  readonly port: number;
  readonly trust: Trust;
  readonly hop: ProxyHop | undefined;
  readonly mine: OwnConnections | undefined;
}

function placeOf(url: URL): { readonly host: string; readonly port: number } {
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
  };
}

/** Connections shared by requests, and those that serve a single request. */
interface Agents<Agent> {
  readonly kept: Agent;
  readonly fresh: Agent;
}

const keptConnections = {
  keepAlive: true,
  keepAliveMsecs: 30_000,
  noDelay: true,
  maxSockets: proxyLimits.upstreamConnections,
  maxFreeSockets: proxyLimits.upstreamIdleConnections,
  timeout: proxyLimits.upstreamIdleTimeoutMs,
};
const freshConnections = { ...keptConnections, keepAlive: false };

function destroy({ kept, fresh }: Agents<HttpAgent>): void {
  kept.destroy();
  fresh.destroy();
}

/** Joins all per-connection names into one Connection line. */
function closeAfterwards(lines: string[]): void {
  const index = lines.indexOf('Connection');
  if (index === -1) lines.push('Connection', 'close');
  else lines[index + 1] = `close, ${lines[index + 1]}`;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Any other coding belongs to this connection as well, and nobody here decodes it. */
function isPlainCoding({ headers }: IncomingMessage): boolean {
  return ['chunked', undefined].includes(headers['transfer-encoding']?.trim().toLowerCase());
}

/** Resolves a name and checks the very address that the socket will use, so that the name cannot change in between. */
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
