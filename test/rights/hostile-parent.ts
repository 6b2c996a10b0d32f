/** A node that says that it holds all of some content, and sends its children elsewhere for it. */
import { taskId } from '../../src/core/ids.ts';
import { createClient } from '../../src/rpc/client.ts';
import { swarmFeature } from '../../src/rpc/features.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { Download, Host } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, SyncPiecesResponse } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import type { LocalSwarm } from '../support/local-swarm.ts';

export async function hostileParent(
  swarm: LocalSwarm,
  { url, length }: { readonly url: string; readonly length: number },
  place: Parameters<typeof SyncPiecesResponse.fromPartial>[0],
): Promise<AsyncDisposable> {
  const server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { features: [swarmFeature] });
  const layout = { contentLength: length, pieceLength: 4 * 2 ** 20 };
  server.addService(DfdaemonUploadDefinition, {
    syncPieces: async function* () {
      yield SyncPiecesResponse.fromPartial({
        ...layout,
        bitmap: Uint8Array.of(1),
        vortexPersistent: true,
        finished: true,
        ...place,
      });
    },
  });
  await server.start();
  const hostId = await announce(swarm, 'leads-astray', server.port);
  const scheduler = createClient(SchedulerDefinition, swarm.channels, swarm.schedulerAddresses[0] ?? '');
  const taskMetadata = { ...layout, responseHeader: {} };
  const download = Download.fromPartial({ url });
  const pieces = Uint8Array.of(1);
  await scheduler.announceTasks({
    hostId,
    holdings: [
      {
        taskId: taskId({ url }),
        peerId: 'leads-astray',
        download,
        taskMetadata,
        pieces,
        finished: true,
        kept: undefined,
      },
    ],
  });
  return server;
}

export async function announce(swarm: LocalSwarm, name: string, port: number): Promise<string> {
  const scheduler = createClient(SchedulerDefinition, swarm.channels, swarm.schedulerAddresses[0] ?? '');
  const id = `127.0.0.1-${name}`;
  const host = Host.fromPartial({ id, hostname: name, ip: '127.0.0.1', port, downloadPort: port });
  await scheduler.announceHost({ host, interval: { seconds: 60, nanos: 0 } });
  return id;
}
