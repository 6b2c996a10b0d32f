/**
 * CONNECT: for configured hosts TLS is terminated here and the requests inside are handled like any others; every other
 * tunnel is passed through unread.
 */
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/process/logger.ts';
import type { AccessGuard } from '../access-guard.ts';
import { newRecord } from '../client-call.ts';
import type { Interception } from './interception.ts';
import { joinSockets } from '../wire/join-sockets.ts';
import { proxyLimits } from '../limits.ts';
import type { ProxyMetrics } from '../proxy-metrics.ts';
import { isLocalClient, signInRefusal, type TunnelTarget } from '../request-handler.ts';
import { portListed, type WhiteList } from '../rules.ts';
import type { Upstream } from '../wire/upstream.ts';

export interface TunnelsOptions {
  /** Absent when nothing is intercepted. */
  readonly interception: Interception | undefined;
  readonly connectPorts: readonly string[];
  readonly whiteList: WhiteList;
  readonly guard: AccessGuard;
  readonly upstream: Upstream;
  readonly metrics: ProxyMetrics;
  readonly logger: Logger;
  /** Clients live in another network namespace: their loopback is not ours. */
  readonly foreignClients: boolean;
}

export class Tunnels {
  readonly #options: TunnelsOptions;
  readonly #open = new Set<Socket>();
  readonly #ending = new AbortController();

  constructor(options: TunnelsOptions) {
    this.#options = options;
  }

  /** Never rejects: a refused or failed tunnel is answered, a broken one is closed. */
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
      const trust = this.#options.interception?.trustFor(host, port);
      if (trust) await this.#intercept(socket, { host, port, trust, foreign: this.#options.foreignClients });
      else await this.#pass(request, socket, { host, port });
    } catch (error) {
      const failure = toDragonflyError(error);
      logger.warn({ target: shown(request.url ?? ''), error: failure.message }, 'tunnel failed');
      refuse(socket, { status: 502, error: failure, header: {} });
    }
  }

  [Symbol.dispose](): void {
    this.#ending.abort(new DOMException('the proxy is stopping', 'AbortError'));
    for (const socket of this.#open) socket.destroy();
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

  async #intercept(socket: Socket, target: TunnelTarget): Promise<void> {
    const terminator = await this.#options.interception?.terminatorFor(target);
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    terminator?.emit('connection', socket);
  }

  /** Copies bytes both ways until both ends have finished, one breaks, or nothing moves for long. */
  async #pass(request: IncomingMessage, socket: Socket, { host, port }: { host: string; port: number }): Promise<void> {
    const { upstream, metrics, logger } = this.#options;
    const record = newRecord();
    const remote = await upstream.dial(host, port, {
      loopbackAllowed: !this.#options.foreignClients && isLocalClient(request),
      signal: this.#ending.signal,
    });
    if (socket.destroyed) return void remote.destroy();
    const finish = metrics.begin('CONNECT');
    record.way = 'tunnel';
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    await joinSockets(socket, remote, { idleMs: proxyLimits.tunnelIdleTimeoutMs });
    record.bytes = remote.bytesRead;
    finish(record);
    const ms = Math.round(performance.now() - record.startedMs);
    logger.info(
      {
        client: request.socket.remoteAddress,
        method: 'CONNECT',
        url: shown(request.url ?? ''),
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
  throw new DragonflyError('INVALID_ARGUMENT', `"${shown(text)}" is no host:port to connect to`);
}

/** Without the name and the password that somebody has put in front. */
function shown(text: string): string {
  return text.slice(text.lastIndexOf('@') + 1);
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
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Refused'}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${lines.join('')}\r\n${body}`,
  );
}
