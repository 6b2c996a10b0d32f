/** What gives: the piece port, and the desk that decides whose turn it is. */
import { isOwnAddress } from '../../core/own-address.ts';
import { RateLimiter } from '../../core/rate-limiter.ts';
import { listenHost, portNumber } from '../config.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { PieceServer } from '../transport/piece-server.ts';
import { UploadDesk } from '../transport/upload-desk.ts';
import type { Downloads } from './downloads.ts';
import type { DaemonNode } from './node.ts';

export interface Uploads {
  readonly desk: UploadDesk;
  readonly pieceServer: PieceServer;
}

/** Throws IN_USE when the port is taken. */
export async function openUploads(
  { config, owned, logger, metrics, controlPlane, security, memory }: DaemonNode,
  store: TaskStore,
  { engine, nodeLocal, idleWatch }: Downloads,
): Promise<Uploads> {
  const { listen, port } = config.upload.tcpListen;
  const host = listenHost(config, listen);
  const desk = owned.add('upload desk', new UploadDesk({ atOrigin: () => engine.atOrigin }));
  const pieceServer = owned.add(
    'piece server',
    await PieceServer.create({
      store,
      limiter: new RateLimiter(config.upload.rateLimit || Infinity),
      host,
      port: portNumber(port),
      uploads: desk,
      poolBytes: memory.sent,
      mayRead: (task, address) => isOwnAddress(address) || !nodeLocal.means(task.identity.url),
      ...(security.pieceServer && { tls: security.pieceServer }),
      logger,
      onAsked: (taskId, piece) => engine.pieceAsked(taskId, piece),
      onServed: ({ taskId, number, bytes }) => {
        metrics.uploaded(bytes);
        engine.pieceServed(taskId, number);
        idleWatch.used();
      },
    }),
  );
  controlPlane.addOwnPort(pieceServer.port, host);
  return { desk, pieceServer };
}
