/** What stands in front of a manager: a plain TCP forward, and a proxy that serves it below a path. */
import { createServer as createHttpServer, request, type Server as HttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Front extends AsyncDisposable {
  readonly port: number;
}

/** As `socat TCP-LISTEN:…,fork TCP:…` does: bytes, and no idea of what they are. */
export async function tcpForward(targetPort: number): Promise<Front> {
  const sockets = new Set<Socket>();
  const server = createServer((inbound) => {
    const outbound = connect(targetPort, '127.0.0.1');
    for (const socket of [inbound, outbound]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
    }
    inbound.pipe(outbound).pipe(inbound);
    inbound.once('close', () => outbound.destroy());
    outbound.once('close', () => inbound.destroy());
  });
  return listening(server, () => {
    for (const socket of sockets) socket.destroy();
  });
}

/** Takes the prefix off what goes to the API, as a reverse proxy is set up to do. */
export async function prefixProxy(targetPort: number, prefix: string): Promise<Front> {
  const server = createHttpServer((inbound, answer) => {
    const path = (inbound.url ?? '/').replace(`${prefix}/api/`, '/api/');
    const outbound = request(
      { host: '127.0.0.1', port: targetPort, method: inbound.method, path, headers: inbound.headers },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        // A stream of events has to pass at once, its head before its first event.
        answer.flushHeaders();
        response.pipe(answer);
      },
    );
    outbound.on('error', () => answer.destroy());
    answer.once('close', () => outbound.destroy());
    inbound.pipe(outbound);
  });
  return listening(server, () => server.closeAllConnections());
}

async function listening(server: Server | HttpServer, closeConnections: () => void): Promise<Front> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      closeConnections();
      await closed;
    },
  };
}
