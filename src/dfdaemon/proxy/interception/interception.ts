/** Terminates the TLS of configured hosts with certificates of this daemon's own authority, and reads the requests inside. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import {
  createSecureContext,
  createServer as createTlsServer,
  type SecureContext,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import { callbackify } from 'node:util';
import { LRUCache } from 'lru-cache';
import { DragonflyError } from '../../../core/errors.ts';
import { compilePattern, type Pattern } from '../../../core/pattern.ts';
import type { Trust } from '../../source/trust-store.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { createClientServer } from '../wire/client-server.ts';
import { Http2ClientResponse } from '../wire/http2-answer.ts';
import { proxyLimits } from '../limits.ts';
import type { RequestHandler, TunnelTarget } from '../request-handler.ts';

export interface InterceptedHosts {
  readonly regx: string;
  readonly trust: Trust;
}

/** Interception on a port that clients reach without CONNECT. */
export interface AnyHost {
  readonly port: number;
  /** Clients live in another network namespace. */
  readonly foreign: boolean;
  readonly allows: (host: string) => boolean;
}

export class Interception {
  readonly #authority: CertificateAuthority;
  readonly #hosts: readonly { readonly expression: Pattern | undefined; readonly trust: Trust }[];
  readonly #http1: Server;
  readonly #http2: Http2Server;
  readonly #terminators = new LRUCache<string, TlsServer>({
    max: proxyLimits.leafCertificates,
    ttl: (proxyLimits.leafLifetimeDays * 24 * 3_600_000) / 2,
  });
  readonly #targets = new WeakMap<object, TunnelTarget>();

  constructor(authority: CertificateAuthority, hosts: readonly InterceptedHosts[], handler: RequestHandler) {
    this.#authority = authority;
    this.#hosts = hosts.map(({ regx, trust }) => ({ expression: compilePattern(regx), trust }));
    this.#http1 = createClientServer(
      (request, response) => void handler.handle(request, response, this.#targets.get(request.socket)),
    );
    const answer = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
      const target = this.#targets.get(sessionOf(request) ?? request);
      // the compatibility objects provide everything used here; names of single connections never reach them
      void handler.handle(request as unknown as IncomingMessage, response as unknown as ServerResponse, target);
    };
    this.#http2 = createHttp2Server({ maxHeaderListPairs: 256, Http2ServerResponse: Http2ClientResponse }, answer);
    this.#http2.on('checkContinue', answer); // the origin says whether to go on
    this.#http2.on('checkExpectation', answer);
  }

  /** How the host itself is verified; undefined when the configuration does not name it, so that nothing of it is read. */
  trustFor(host: string, port: number): Trust | undefined {
    return this.#hosts.find(({ expression }) => expression?.test(`${host}:${port}`) === true)?.trust;
  }

  /** Terminates TLS for one host and port; its leaf is renewed before it expires. */
  async terminatorFor(target: TunnelTarget): Promise<TlsServer> {
    const key = `${target.host}:${target.port}`;
    const known = this.#terminators.get(key);
    if (known) return known;
    const leaf = await this.#authority.leafFor(target.host);
    const server = this.#tlsServer(leaf, () => target);
    this.#terminators.set(key, server);
    return server;
  }

  /** Terminates TLS on this port for any host that a client names in its greeting; hosts that are not configured get an alert. */
  anyTerminator({ port, foreign, allows }: AnyHost): TlsServer {
    const targetFor = (host: string): TunnelTarget | undefined => {
      const trust = this.trustFor(host, port);
      return trust && allows(host) ? { host, port, trust, foreign } : undefined;
    };
    const contextFor = async (name: string): Promise<SecureContext> => {
      const host = name.toLowerCase();
      if (!targetFor(host)) throw new DragonflyError('PERMISSION_DENIED', `${host}:${port} is not intercepted`);
      return createSecureContext(await this.#authority.leafFor(host));
    };
    const SNICallback = callbackify(contextFor);
    return this.#tlsServer({ SNICallback }, ({ servername }) => targetFor(String(servername).toLowerCase()));
  }

  [Symbol.dispose](): void {
    this.#http1.closeAllConnections();
  }

  #tlsServer(options: object, targetOf: (secure: TLSSocket) => TunnelTarget | undefined): TlsServer {
    const server = createTlsServer({
      ...options,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: proxyLimits.handshakeTimeoutMs,
    });
    server.on('tlsClientError', (_error, secure) => secure.destroy());
    server.on('secureConnection', (secure) => {
      const target = targetOf(secure);
      if (!target) return secure.destroy();
      if (secure.alpnProtocol === 'h2') return this.#startHttp2(secure, target);
      this.#targets.set(secure, target);
      this.#http1.emit('connection', secure);
    });
    return server;
  }

  /** The session event fires while the connection event is handled, so it belongs to this connection. */
  #startHttp2(secure: TLSSocket, target: TunnelTarget): void {
    const remember = (session: ServerHttp2Session): void => {
      this.#targets.set(session, target);
      session.on('error', () => secure.destroy());
    };
    this.#http2.once('session', remember);
    this.#http2.emit('connection', secure);
    this.#http2.removeListener('session', remember);
  }
}

function sessionOf(request: Http2ServerRequest): object | undefined {
  return request.stream.session;
}
