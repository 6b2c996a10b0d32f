/** A real dfdaemon with its proxy, alone or several by a real scheduler, and a small HTTP origin that remembers requests. */
import { once } from 'node:events';
import {
  request as httpRequest,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseConfig } from '../../../src/core/config/config.ts';
import { silentLogger } from '../../../src/core/process/logger.ts';
import { dfdaemonConfigSchema } from '../../../src/dfdaemon/config.ts';
import { DfdaemonService } from '../../../src/dfdaemon/service.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

export interface ProxiedDaemon extends AsyncDisposable {
  readonly service: DfdaemonService;
  readonly directory: string;
  /** Port of the proxy on 127.0.0.1. */
  readonly port: number;
  readonly url: string;
}

export interface DaemonOptions {
  /** Content of the `proxy` section, as JSON or YAML flow. */
  readonly proxy?: Record<string, unknown>;
  readonly schedulers?: readonly string[];
  readonly more?: Record<string, unknown>;
}

/** Text of a dfget.yaml that keeps everything below the directory and listens on free ports of 127.0.0.1. */
export function daemonConfig(
  directory: string,
  { proxy = {}, schedulers = [], more = {} }: DaemonOptions = {},
): string {
  const local = { port: 0, listen: '127.0.0.1' };
  return JSON.stringify({
    dataDir: join(directory, 'data'),
    cacheDir: join(directory, 'cache'),
    workHome: join(directory, 'work'),
    logDir: join(directory, 'log'),
    host: { advertiseIP: '127.0.0.1' },
    health: { tcpListen: local },
    upload: { tcpListen: local },
    download: {
      downloadGRPC: { unixListen: { socket: join(directory, 'dfdaemon.sock') } },
      peerGRPC: { tcpListen: local },
    },
    scheduler: { netAddrs: schedulers.map((addr) => ({ type: 'tcp', addr })) },
    proxy: { tcpListen: local, ...proxy },
    ...more,
  });
}

export async function startDaemon(options: DaemonOptions = {}): Promise<ProxiedDaemon> {
  const directory = await temporaryDirectory('df-proxy-');
  const { config } = parseConfig(dfdaemonConfigSchema, daemonConfig(directory.path, options), 'dfget.yaml');
  let service: DfdaemonService;
  try {
    service = await DfdaemonService.start(config, silentLogger);
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
  const address = service.addresses['proxy'] ?? '';
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  return {
    service,
    directory: directory.path,
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Origin extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly seen: SeenRequest[];
  readonly server: Server;
}

export async function startOrigin(listener: RequestListener, host = '127.0.0.1'): Promise<Origin> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers });
    listener(request, response);
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    host: `${host}:${port}`,
    seen,
    server,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers GET and HEAD of one body, with ranges, as a plain file server does. */
export function serveBody(body: Buffer, header: Record<string, string> = {}): RequestListener {
  return (request, response) => {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(body.length, range?.[2] ? Number(range[2]) + 1 : body.length);
    if (start >= body.length && range) {
      response.writeHead(416, { 'content-range': `bytes */${body.length}`, 'content-length': 0 });
      return void response.end();
    }
    const place: Record<string, string> = range ? { 'content-range': `bytes ${start}-${end - 1}/${body.length}` } : {};
    response.writeHead(range ? 206 : 200, {
      'content-length': end - start,
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      ...place,
      ...header,
    });
    response.end(request.method === 'HEAD' ? undefined : body.subarray(start, end));
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** One request to the proxy: `target` is a path for the mirror, or a whole URL. Rejects when the body breaks off. */
export async function ask(daemon: { readonly port: number }, target: string, options: Ask = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = options;
  const outgoing = httpRequest({ host: '127.0.0.1', port: daemon.port, method, path: target, headers, agent: false });
  outgoing.end(body);
  const [message] = (await once(outgoing, 'response')) as [IncomingMessage];
  const blocks: Buffer[] = [];
  for await (const block of message) blocks.push(block as Buffer);
  return { status: message.statusCode ?? 0, headers: message.headers, body: Buffer.concat(blocks) };
}

/** The proxy asks whether a caller may have content by a few bytes of it; those are no copy. */
export function isProbe(range: string | undefined): boolean {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  return first !== undefined && last !== undefined && Number(last) - Number(first) < 64;
}
