/** The upload side: the piece port, and the desk that schedules uploads. */
import { RateLimiter } from '../../core/rate-limiter.ts';
import { listenHost, portNumber } from '../config.ts';
import { ReadGuard } from '../rpc/read-guard.ts';
import type { TaskStore } from '../storage/task-store.ts';
import { PieceServer } from '../transport/piece-server.ts';
import { UploadDesk } from '../transport/upload-desk.ts';
import type { Downloads } from './downloads.ts';
import type { DaemonNode } from './node.ts';

export interface Uploads {
  readonly desk: UploadDesk;
  readonly pieceServer: PieceServer;
  readonly guard: ReadGuard;
}

/** Throws IN_USE when the port is taken. */
export async function openUploads(
  { config, owned, logger, metrics, controlPlane, security, memory }: DaemonNode,
  store: TaskStore,
  { engine, nodeLocal, idleWatch }: Downloads,
): Promise<Uploads> {
  const { listen, port } = config.upload.tcpListen;
  const host = listenHost(config, listen);
  const openToAll = config.upload.restricted === 'all';
  const guard = new ReadGuard({ store, controlPlane, nodeLocal, openToAll });
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
      find: (name, address) => guard.find(name, address),
      ...(security.pieceServer && { tls: security.pieceServer }),
      logger,
      onAsked: (taskId, piece) => engine.announcing(taskId)?.asked(piece),
      onRefused: (taskId, piece) => engine.announcing(taskId)?.refused(piece),
      onTaken: (taskId, piece) => engine.announcing(taskId)?.taken(piece),
      onServed: ({ taskId, number, bytes }) => {
        metrics.uploaded(bytes);
        engine.announcing(taskId)?.served(number);
        idleWatch.used();
      },
    }),
  );
  controlPlane.addOwnPort(pieceServer.port, host);
  return { desk, pieceServer, guard };
}
