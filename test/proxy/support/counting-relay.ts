/** Passes connections on to a server, unread but for their request lines, and counts what both sides send: an access log of a server that keeps none. */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';

export interface CountingRelay extends AsyncDisposable {
  readonly url: string;
  /** By the server, header included. */
  readonly sent: { bytes: number };
  readonly received: { bytes: number };
  /** `GET /bucket/key`, in order. */
  readonly lines: string[];
}

const requestLine = /^(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP\/1\.1\r$/gm;

export async function countingRelay(target: string): Promise<CountingRelay> {
  const { hostname, port } = new URL(target);
  const relay = { sent: { bytes: 0 }, received: { bytes: 0 }, lines: [] as string[] };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    }
    client.on('data', (block: Buffer) => {
      relay.received.bytes += block.length;
      const text = block.subarray(0, 4096).toString('latin1');
      for (const [, method, path] of text.matchAll(requestLine)) relay.lines.push(`${method} ${path}`);
    });
    upstream.on('data', (block: Buffer) => (relay.sent.bytes += block.length));
    client.pipe(upstream).pipe(client);
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    ...relay,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
