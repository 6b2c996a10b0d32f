/** Content that belongs to an object of a store is read by those whom the store gives it to, whichever way they come. Needs root, to be several users. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import {
  DfdaemonUploadDefinition,
  DownloadPersistentCacheTaskRequest,
  SyncPersistentPiecesRequest,
  SyncPiecesRequest,
  UploadPersistentTaskRequest,
} from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { ExportLocalTaskRequest } from '../../gen/dfdaemon/v2/local.ts';
import { persistentTaskId } from '../../src/core/ids.ts';
import { createClient } from '../../src/rpc/client.ts';
import { callAs } from '../support/call-as.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

const user = { uid: 65_534, gid: 65_533 };
const skip = process.geteuid?.() === 0 ? false : 'only root can be several users';
const place = { url: 's3://bucket/key', region: 'r', endpoint: 'http://127.0.0.1:9' };
const taskId = persistentTaskId(place);

describe('content of an object', { timeout: 120_000, skip }, () => {
  let swarm: LocalSwarm;
  let daemons: Daemon[];
  const cleanup = new AsyncDisposableStack();

  before(async () => {
    swarm = cleanup.use(await LocalSwarm.create());
    await swarm.startScheduler();
    daemons = [await swarm.startDaemon('one'), await swarm.startDaemon('two')];
    chmodSync(swarm.directory.path, 0o755);
    for (const { socket } of daemons) {
      chmodSync(socket.slice(0, socket.lastIndexOf('/')), 0o755);
      chmodSync(socket, 0o666);
    }
    const path = swarm.directory.join('content');
    writeFileSync(path, 'of the store');
    const { url, region, endpoint } = place;
    const order = { url, path, objectStorage: { region, endpoint }, persistentReplicaCount: 2, write: 'replicas' };
    await swarm
      .client(daemons[0] as Daemon)
      .uploadPersistentTask(UploadPersistentTaskRequest.fromPartial({ ...order, ttl: { seconds: 3600, nanos: 0 } }));
  });
  after(() => cleanup.disposeAsync());

  test('comes to the nodes that hold it, by their scheduler', async () => {
    for (const daemon of daemons) {
      const { tasks } = await swarm.client(daemon).listLocalPersistentTasks({});
      assert.deepEqual(
        tasks.map((task) => [task.taskId, task.persistent]),
        [[taskId, true]],
      );
    }
  });

  test('is given to no user by its id alone', async () => {
    const download = DownloadPersistentCacheTaskRequest.encode(
      DownloadPersistentCacheTaskRequest.fromPartial({ taskId, needPieceContent: true }),
    ).finish();
    const taken = ExportLocalTaskRequest.encode(
      ExportLocalTaskRequest.fromPartial({ taskId, needContent: true }),
    ).finish();
    for (const { socket } of daemons) {
      const call = (method: string, bytes: Uint8Array): Promise<number> => callAs(user, socket, method, bytes);
      assert.equal(
        await call('/dfdaemon.v2.DfdaemonDownload/DownloadPersistentCacheTask', download),
        status.PERMISSION_DENIED,
      );
      assert.equal(await call('/dfdaemon.v2.DfdaemonLocal/ExportLocalTask', taken), status.PERMISSION_DENIED);
    }
  });

  test('is given to no host that a scheduler has not sent', async () => {
    for (const daemon of daemons) {
      const node = createClient(DfdaemonUploadDefinition, swarm.channels, daemon.service.addresses['peer'] ?? '');
      const asked = { taskId, hostId: 'stranger', interestedPieceNumbers: [0] };
      for (const told of [
        () => node.syncPieces(SyncPiecesRequest.fromPartial(asked)),
        () => node.syncPersistentPieces(SyncPersistentPiecesRequest.fromPartial(asked)),
      ])
        await assert.rejects(
          async () => {
            for await (const _ of told()) return;
          },
          { code: 'PERMISSION_DENIED' },
        );
    }
  });
});
