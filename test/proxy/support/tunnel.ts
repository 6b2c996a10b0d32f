/** What a client does whose proxy opens tunnels: CONNECT, and TLS inside with whoever answers there. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import type { Answer, Ask } from './proxy-fixture.ts';
import { rawClient } from './raw-http.ts';

export interface TunnelOptions {
  readonly proxyPort: number;
  /** `address:port` of the origin. */
  readonly host: string;
  readonly ca: string;
  readonly ALPNProtocols: string[];
}

export async function openTunnel({ proxyPort, host, ca, ALPNProtocols }: TunnelOptions): Promise<TLSSocket> {
  const { socket, send, until } = await rawClient(proxyPort);
  send(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await until(/^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
  socket.removeAllListeners('data');
  const secure = tlsConnect({ socket, host: '127.0.0.1', ca, ALPNProtocols });
  await once(secure, 'secureConnect');
  return secure;
}

/** One request in a tunnel of its own, in HTTP/1.1 or in HTTP/2. */
export async function askInTunnel(options: TunnelOptions, path: string, asked: Ask): Promise<Answer> {
  const secure = await openTunnel(options);
  try {
    return secure.alpnProtocol === 'h2'
      ? await askHttp2(secure, options.host, path, asked)
      : await askHttp1(secure, options.host, path, asked);
  } finally {
    secure.destroy();
  }
}

async function askHttp1(
  secure: TLSSocket,
  host: string,
  path: string,
  { method = 'GET', headers = {} }: Ask,
): Promise<Answer> {
  const outgoing = httpRequest({ createConnection: () => secure, method, path, headers: { host, ...headers } });
  outgoing.end();
  const [message] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: message.statusCode ?? 0, headers: message.headers, body: await bodyOf(message) };
}

async function askHttp2(
  secure: TLSSocket,
  host: string,
  path: string,
  { method = 'GET', headers = {} }: Ask,
): Promise<Answer> {
  const session = connectHttp2(`https://${host}`, { createConnection: () => secure });
  const stream = session.request({ ':method': method, ':path': path, ...headers });
  stream.end();
  const [header] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
  const body = await bodyOf(stream);
  session.destroy();
  return { status: header[':status'], headers: header, body };
}

async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of stream) blocks.push(block);
  return Buffer.concat(blocks);
}
