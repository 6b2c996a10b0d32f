/** Opens the proxy's ports: the first free one of a range, in another network namespace where one is configured. */
import type { Server } from 'node:net';
import { listenInNamespace } from './namespace-socket.ts';
import type { Listen } from '../proxy-config.ts';

/** Resolves when the server listens. Rejects with a system error; EADDRINUSE when no port of the range is free. */
export async function listenOn(server: Server, { host, port, namespace }: Listen): Promise<void> {
  const ports = typeof port === 'number' ? [port] : range(port.start, port.end);
  for (const candidate of ports) {
    try {
      await bound(
        server,
        namespace === undefined ? { host, port: candidate } : { fd: listenInNamespace(namespace, host, candidate) },
      );
      return;
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!taken || candidate === ports.at(-1)) throw error;
    }
  }
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start + 1 }, (_, index) => start + index);
}

function bound(server: Server, where: { host: string; port: number } | { fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
