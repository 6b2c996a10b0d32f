/** A TCP relay whose link can be cut in the middle of anything, and restored. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface CutRelay extends AsyncDisposable {
  readonly port: number;
  /** Bytes that came from the target. */
  readonly received: () => number;
  readonly cut: () => void;
  readonly restore: () => void;
}

/** @param target `host:port` */
export async function startCutRelay(target: string): Promise<CutRelay> {
  const { hostname, port } = new URL(`http://${target}`);
  const open = new Set<Socket>();
  let isCut = false;
  let receivedBytes = 0;
  const server = createServer((near) => {
    if (isCut) return void near.resetAndDestroy();
    const far = connect(Number(port), hostname);
    const both = [near, far];
    for (const socket of both) {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          open.delete(socket);
          for (const other of both) other.destroy();
        });
    }
    far.on('data', (bytes: Buffer) => (receivedBytes += bytes.length));
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    isCut = true;
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    received: () => receivedBytes,
    cut,
    restore: () => (isCut = false),
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
