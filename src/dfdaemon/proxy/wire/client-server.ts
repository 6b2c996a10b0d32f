/**
 * The HTTP/1 server for clients of the proxy, on its own port and inside intercepted tunnels. It makes no decisions:
 * requests with expectations and upgrades go to the handler, as far as node:http allows.
 */
import {
  createServer,
  ServerResponse,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type Server,
  type ServerOptions,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions as TlsServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { proxyLimits } from '../limits.ts';
import { linesOf } from './header.ts';
import { asWrittenByNode } from './node-header.ts';

export type ClientHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** @param tls certificate and key of the proxy itself; plain HTTP without them. */
export function createClientServer(handle: ClientHandler, tls?: TlsServerOptions): Server {
  const options: ServerOptions = {
    ServerResponse: ClientResponse as typeof ServerResponse,
    maxHeaderSize: proxyLimits.headerBytes,
    headersTimeout: proxyLimits.headersTimeoutMs,
    keepAliveTimeout: proxyLimits.keepAliveMs,
    requestTimeout: 0, // the body of a push may take any time
    noDelay: true,
    shouldUpgradeCallback: mayUpgrade,
  };
  const server = tls ? createTlsServer({ ...options, ...tls }) : createServer(options);
  server.maxHeadersCount = 0; // their bytes are bounded
  server.timeout = proxyLimits.clientIdleTimeoutMs;
  // A client that has half-closed its connection still gets its answer.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('request', handle);
  server.on('checkContinue', handle); // the origin says whether to go on
  server.on('checkExpectation', handle);
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (head.length > 0) socket.unshift(head);
    void takeUpgrade(request, socket, handle);
  });
  server.on('clientError', answerNonsense);
  return server;
}

/** Requests for an upgrade with their bodies, which node:http does not read. */
const upgrading = new WeakMap<IncomingMessage, Buffer>();

/** Undefined for a request that asks for no upgrade, or could not get one. */
export function bodyOfUpgrade(request: IncomingMessage): Buffer | undefined {
  return upgrading.get(request);
}

/**
 * Other ways to have the same exchange, which programs in Java offer with every request. A proxy may leave them out:
 * then the answer comes as if they had not been offered, and can be shared.
 */
const sameExchange = /^(?:h2c(?:-\d+)?|http\/\d(?:\.\d)?|tls\/\d\.\d)$/;

/** A chunked or long body would lie between the header and the new protocol: such a request is treated as a plain one. */
function mayUpgrade({ headers }: IncomingMessage): boolean {
  const offered = (headers.upgrade ?? '').split(',').map((protocol) => protocol.trim().toLowerCase());
  if (offered.every((protocol) => sameExchange.test(protocol))) return false;
  const plain = headers['transfer-encoding'] === undefined && headers.expect === undefined;
  return plain && Number(headers['content-length'] ?? 0) <= proxyLimits.replayBytes;
}

async function takeUpgrade(request: IncomingMessage, socket: Socket, handle: ClientHandler): Promise<void> {
  socket.on('error', () => undefined); // 'close' follows
  socket.setTimeout(proxyLimits.clientIdleTimeoutMs, () => socket.destroy());
  const body = await readExactly(socket, Number(request.headers['content-length'] ?? 0));
  if (!body) return void socket.destroy();
  upgrading.set(request, body);
  handle(request, responseOn(request, socket));
}

/** Undefined when the connection ends before. Bytes that follow stay in the connection. */
async function readExactly(socket: Socket, length: number): Promise<Buffer | undefined> {
  const blocks: Buffer[] = [];
  for (let left = length; left > 0;) {
    const block = socket.read(Math.min(left, Math.max(1, socket.readableLength))) as Buffer | null;
    if (block) {
      blocks.push(block);
      left -= block.length;
    } else if (socket.destroyed || socket.readableEnded) return undefined;
    else await new Promise((resolve) => ['readable', 'end', 'close'].forEach((name) => socket.once(name, resolve)));
  }
  return Buffer.concat(blocks);
}

/** node:http leaves the answer to an upgrade to its caller, as a bare socket; handlers should not have to know that. */
function responseOn(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ClientResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  socket.once('close', () => response.destroy());
  response.once('finish', () => {
    if (response.socket === null) return; // the connection has changed protocols
    response.detachSocket(socket);
    socket.end();
    socket.resume();
  });
  return response;
}

const noBytes = Buffer.alloc(0);

class ClientResponse extends ServerResponse {
  override writeHead(
    statusCode: number,
    reason?: string | OutgoingHttpHeaders | OutgoingHttpHeader[],
    header?: OutgoingHttpHeaders | OutgoingHttpHeader[],
  ): this {
    const fields = typeof reason === 'string' ? header : (header ?? reason);
    const lines = fields === undefined ? undefined : asWrittenByNode(linesOf(fields));
    return typeof reason === 'string' ? super.writeHead(statusCode, reason, lines) : super.writeHead(statusCode, lines);
  }

  /** node:http would write the header as UTF-8 here, although each character stands for a byte. */
  override flushHeaders(): void {
    if (this.headersSent) this.write(noBytes);
    else super.flushHeaders();
  }
}

const statusByCode: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Refuses what is no request or could be read in two ways; nothing more is read from this client. */
function answerNonsense(error: NodeJS.ErrnoException, socket: Duplex): void {
  const { _httpMessage: answering } = socket as { _httpMessage?: ServerResponse };
  if (!socket.writable || error.code === 'ECONNRESET' || answering?.headersSent === true)
    return void socket.destroy(error);
  const status = statusByCode[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
