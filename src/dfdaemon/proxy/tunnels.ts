/**
 * CONNECT: to a host that the configuration names, TLS ends here and the requests inside are handled like any other;
 * every other tunnel is passed through unread.
 */
import assert from 'node:assert/strict';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { AccessGuard } from './access-guard.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { newRecord } from './exchange.ts';
import { proxyLimits } from './limits.ts';
import { compilePattern } from './pattern.ts';
import type { ProxyMetrics } from './proxy-metrics.ts';
import { isLocalClient, signInRefusal, type RequestHandler, type TunnelTarget } from './request-handler.ts';
import { portListed, type WhiteList } from './rules.ts';
import type { Upstream } from './upstream.ts';
import type { Trust } from '../source/trust-store.ts';

export interface InterceptedHosts {
  readonly regx: string;
  readonly trust: Trust;
}

export interface TunnelsOptions {
  readonly authority: CertificateAuthority | undefined;
  readonly hosts: readonly InterceptedHosts[];
  readonly connectPorts: readonly string[];
  readonly whiteList: WhiteList;
  readonly guard: AccessGuard;
  readonly upstream: Upstream;
  readonly handler: RequestHandler;
  readonly metrics: ProxyMetrics;
  readonly logger: Logger;
}

export class Tunnels {
  readonly #options: TunnelsOptions;
  readonly #hosts: readonly { readonly expression: RegExp | undefined; readonly trust: Trust }[];
  readonly #http1: Server;
  readonly #http2: Http2Server;
  readonly #terminators = new LRUCache<string, TlsServer>({
    max: proxyLimits.leafCertificates,
    ttl: (proxyLimits.leafLifetimeDays * 24 * 3_600_000) / 2,
  });
  readonly #targets = new WeakMap<object, TunnelTarget>();
  readonly #open = new Set<Socket>();
  readonly #ending = new AbortController();

  constructor(options: TunnelsOptions) {
    this.#options = options;
    this.#hosts = options.hosts.map(({ regx, trust }) => ({ expression: compilePattern(regx), trust }));
    this.#http1 = createHttpServer(
      {
        maxHeaderSize: proxyLimits.headerBytes,
        headersTimeout: proxyLimits.headersTimeoutMs,
        keepAliveTimeout: proxyLimits.keepAliveMs,
      },
      (request, response) => void options.handler.handle(request, response, this.#targets.get(request.socket)),
    );
    this.#http2 = createHttp2Server({ maxHeaderListPairs: 256 }, (request, response) => {
      const target = this.#targets.get(sessionOf(request) ?? request);
      // the compatibility objects have all that is used here; names of single connections never reach them
      void options.handler.handle(request as unknown as IncomingMessage, response as unknown as ServerResponse, target);
    });
  }

  /** Never rejects: a refused or failed tunnel is answered, a broken one closed. */
  async connect(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const { logger } = this.#options;
    socket.on('error', () => undefined); // 'close' follows
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    try {
      const { host, port } = authority(request.url ?? '');
      const refusal = this.#refusal(request, host, port);
      if (refusal) return refuse(socket, refusal);
      if (head.length > 0) socket.unshift(head);
      const intercepted = this.#intercepted(host, port);
      if (intercepted) await this.#intercept(socket, { host, port, trust: intercepted });
      else await this.#pass(request, socket, { host, port });
    } catch (error) {
      const failure = toDragonflyError(error);
      logger.warn({ target: request.url, error: failure.message }, 'tunnel failed');
      refuse(socket, { status: 502, error: failure, header: {} });
    }
  }

  [Symbol.dispose](): void {
    this.#ending.abort(new DOMException('the proxy is stopping', 'AbortError'));
    for (const socket of this.#open) socket.destroy();
    this.#http1.closeAllConnections();
  }

  #refusal(request: IncomingMessage, host: string, port: number): ReturnType<typeof signInRefusal> {
    const { guard, whiteList, connectPorts } = this.#options;
    const refusal = signInRefusal(guard, request);
    if (refusal) return refusal;
    const listed = whiteList.allows(host, port);
    if (listed ?? portListed(connectPorts, port)) return undefined;
    const error = new DragonflyError('PERMISSION_DENIED', `tunnels to port ${port} of ${host} are not allowed`, {
      hint: 'Allow it by proxy.whiteList or proxy.connectPorts.',
    });
    return { error, status: listed === false ? 401 : 403, header: {} };
  }

  #intercepted(host: string, port: number): Trust | undefined {
    if (!this.#options.authority) return undefined;
    return this.#hosts.find(({ expression }) => expression?.test(`${host}:${port}`) === true)?.trust;
  }

  async #intercept(socket: Socket, target: TunnelTarget): Promise<void> {
    const server = await this.#terminator(target);
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    server.emit('connection', socket);
  }

  /** What ends TLS for one host and port; its leaf is made anew before it expires. */
  async #terminator(target: TunnelTarget): Promise<TlsServer> {
    const key = `${target.host}:${target.port}`;
    const known = this.#terminators.get(key);
    if (known) return known;
    assert(this.#options.authority, 'nothing is intercepted without an authority');
    const leaf = await this.#options.authority.leafFor(target.host);
    const server = createTlsServer({
      ...leaf,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: proxyLimits.handshakeTimeoutMs,
    });
    server.on('tlsClientError', (_error, secure) => secure.destroy());
    server.on('secureConnection', (secure) => {
      if (secure.alpnProtocol === 'h2') return this.#startHttp2(secure, target);
      this.#targets.set(secure, target);
      this.#http1.emit('connection', secure);
    });
    this.#terminators.set(key, server);
    return server;
  }

  /** The session is announced while the connection event is handled, so it can only be this one. */
  #startHttp2(secure: TLSSocket, target: TunnelTarget): void {
    const remember = (session: ServerHttp2Session): void => {
      this.#targets.set(session, target);
      session.on('error', () => secure.destroy());
    };
    this.#http2.once('session', remember);
    this.#http2.emit('connection', secure);
    this.#http2.removeListener('session', remember);
  }

  /** Bytes both ways until both ends have finished, one breaks, or nothing moves for long. */
  async #pass(request: IncomingMessage, socket: Socket, { host, port }: { host: string; port: number }): Promise<void> {
    const { upstream, metrics, logger } = this.#options;
    const record = newRecord();
    const remote = await upstream.dial(host, port, {
      loopbackAllowed: isLocalClient(request),
      signal: this.#ending.signal,
    });
    if (socket.destroyed) return void remote.destroy();
    const finish = metrics.begin('CONNECT');
    record.way = 'tunnel';
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const [from, to] of [
      [socket, remote],
      [remote, socket],
    ] as const) {
      from.setTimeout(proxyLimits.tunnelIdleTimeoutMs, () => from.destroy());
      from.on('error', () => undefined);
      from.once('close', () => {
        if (!from.readableEnded) to.destroy();
        if (socket.destroyed && remote.destroyed) resolve();
      });
      from.pipe(to);
    }
    await promise;
    record.bytes = remote.bytesRead;
    finish(record);
    const ms = Math.round(performance.now() - record.startedMs);
    logger.info(
      {
        client: request.socket.remoteAddress,
        method: 'CONNECT',
        url: request.url,
        way: 'tunnel',
        bytes: record.bytes,
        ms,
      },
      'proxied',
    );
  }
}

/** `host:port`, IPv6 in brackets. */
function authority(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/?#@[\]]+)):(\d{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port > 0 && port < 65_536) return { host: host.toLowerCase(), port };
  throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is no host:port to connect to`);
}

function refuse(
  socket: Socket,
  { status, error, header }: { status: number; error: DragonflyError; header: Record<string, string> },
): void {
  if (!socket.writable) return void socket.destroy();
  const body = `${error.message}\n`;
  const code = error.code === 'INVALID_ARGUMENT' ? 400 : error.code === 'RESOURCE_EXHAUSTED' ? 503 : status;
  const lines = Object.entries(header).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${code} Refused\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${lines.join('')}\r\n${body}`,
  );
}

function sessionOf(request: Http2ServerRequest): object | undefined {
  return request.stream.session;
}
