/** Stands before a piece port, and keeps what children send. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export class PieceRecorder implements AsyncDisposable {
  readonly port: number;
  readonly #asked: Buffer[][];
  readonly #close: () => void;

  private constructor(port: number, asked: Buffer[][], close: () => void) {
    this.port = port;
    this.#asked = asked;
    this.#close = close;
  }

  static async start(host: string, to: number): Promise<PieceRecorder> {
    const asked: Buffer[][] = [];
    const sockets = new Set<Socket>();
    const server = createServer((child) => {
      const parent = connect(to, host);
      const chunks: Buffer[] = [];
      asked.push(chunks);
      child.on('data', (chunk: Buffer) => chunks.push(chunk));
      for (const socket of [child, parent]) {
        sockets.add(socket);
        socket.on('error', () => socket.destroy());
      }
      child.on('close', () => parent.destroy()).pipe(parent);
      parent.on('close', () => child.destroy()).pipe(child);
    }).listen(0, host);
    await once(server, 'listening');
    return new PieceRecorder((server.address() as AddressInfo).port, asked, () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
  }

  /** What each child has sent. */
  get asked(): Buffer[] {
    return this.#asked.map((chunks) => Buffer.concat(chunks));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }
}
