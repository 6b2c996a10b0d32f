/**
 * A peer that speaks the protocol and gives wrong bytes: it announces a task it holds, and between its piece port and
 * the children a relay inverts a byte of every block. The CRC-32 it sends is that of the right bytes.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { swarmFeature } from '../../src/rpc/features.ts';
import { Download, Host } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, SyncPiecesResponse } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import type { ServerTls } from '../../src/rpc/tls.ts';
import { pieceLayout } from '../../src/core/piece-layout.ts';
import { taskId as taskIdOf } from '../../src/core/ids.ts';
import { RateLimiter } from '../../src/core/rate-limiter.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { PieceServer } from '../../src/dfdaemon/transport/piece-server.ts';
import { PieceSet } from '../../src/swarm/shared/piece-set.ts';

const hostId = '127.0.0.1-corrupting';

export interface CorruptingPeerOptions {
  readonly scheduler: string;
  /** An empty directory of its own. */
  readonly directory: string;
  readonly url: string;
  readonly content: Buffer;
  /** Serves the bytes as they are, with right checksums: `content` is what is false. */
  readonly honestBytes?: boolean;
  /** What it shows to children that demand encryption; a member of the cluster gone bad has a right certificate. */
  readonly tls?: ServerTls;
}

export class CorruptingPeer implements AsyncDisposable {
  readonly peerId = `${hostId}-peer`;
  readonly #owned = new AsyncDisposableStack();
  #corruptedBytes = 0;

  /** Bytes that were inverted on their way to children. */
  get corruptedBytes(): number {
    return this.#corruptedBytes;
  }

  /** Resolves when the scheduler knows it as a holder of the whole content. */
  static async start(options: CorruptingPeerOptions): Promise<CorruptingPeer> {
    const peer = new CorruptingPeer();
    await peer.#start(options);
    return peer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  async #start({ scheduler, directory, url, content, honestBytes, tls }: CorruptingPeerOptions): Promise<void> {
    const taskId = taskIdOf({ url });
    const layout = pieceLayout(content.length);
    const store = this.#owned.use(await TaskStore.open({ directory }));
    const task = store.open(taskId, { url });
    task.setLayout({
      contentLengthBytes: content.length,
      pieceLengthBytes: layout.pieceLengthBytes,
      responseHeader: {},
    });
    for (const number of PieceSet.range(0, layout.pieceCount)) {
      const writer = task.writePiece(number);
      const start = number * layout.pieceLengthBytes;
      await writer.writeBlock(content.subarray(start, start + layout.pieceLengthBytes));
      await writer.commit({ source: 'origin', costMs: 1 });
    }
    task.finish();
    const limiter = new RateLimiter(Infinity);
    const pieces = this.#owned.use(await PieceServer.create({ store, limiter, host: '127.0.0.1', port: 0 }));
    const relay = honestBytes ? pieces.port : await this.#startRelay(pieces.port);
    const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { features: [swarmFeature], tls });
    server.addService(DfdaemonUploadDefinition, {
      syncPieces: async function* () {
        yield SyncPiecesResponse.fromPartial({
          ip: '127.0.0.1',
          tcpPort: relay,
          bitmap: PieceSet.range(0, layout.pieceCount).toBytes(),
          contentLength: content.length,
          pieceLength: layout.pieceLengthBytes,
          vortexPersistent: true,
          finished: true,
        });
      },
    });
    await server.start();
    this.#owned.use(server);
    const client = createClient(SchedulerDefinition, this.#owned.use(new Channels()), scheduler);
    const { port } = server;
    const host = Host.fromPartial({ id: hostId, hostname: 'corrupting', ip: '127.0.0.1', port, downloadPort: port });
    await client.announceHost({ host, interval: { seconds: 60, nanos: 0 } });
    await client.announceTasks({
      hostId,
      holdings: [
        {
          taskId,
          peerId: this.peerId,
          download: Download.fromPartial({ url }),
          taskMetadata: { contentLength: content.length, pieceLength: layout.pieceLengthBytes, responseHeader: {} },
          pieces: PieceSet.range(0, layout.pieceCount).toBytes(),
          finished: true,
          kept: undefined,
        },
      ],
    });
  }

  async #startRelay(port: number): Promise<number> {
    const sockets = new Set<Socket>();
    const relay: Server = createServer((child) => {
      const parent = connect(port, '127.0.0.1');
      sockets.add(child).add(parent);
      child.pipe(parent);
      parent.on('data', (chunk) => {
        const place = chunk.length - 1; // far from the head of the answer
        if (chunk.length > 1024) {
          chunk[place] = ~(chunk[place] ?? 0) & 0xff;
          this.#corruptedBytes += 1;
        }
        child.write(chunk);
      });
      for (const [one, other] of [
        [child, parent],
        [parent, child],
      ] as const) {
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    this.#owned.defer(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => relay.close(resolve));
    });
    return (relay.address() as AddressInfo).port;
  }
}
