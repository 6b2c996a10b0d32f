/** A relay that keeps everything that passes, to see what somebody on the wire could read. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface RecordingRelay extends AsyncDisposable {
  readonly port: number;
}

/** Listens at `from` (port 0 for any) and connects to `to`; both directions go into `seen`. */
export async function recordingRelay(
  from: { host: string; port: number },
  to: { host: string; port: number },
  seen: Buffer[],
): Promise<RecordingRelay> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(to.port, to.host);
    for (const [source, sink] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(source);
      source.on('error', () => sink.destroy()).on('close', () => sink.destroy());
      source.on('data', (chunk: Buffer) => {
        seen.push(chunk);
        sink.write(chunk);
      });
    }
  }).listen(from.port, from.host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : from.port,
    [Symbol.asyncDispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      return Promise.resolve();
    },
  };
}
