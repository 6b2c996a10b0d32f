/** A daemon of root imports what users of its socket may read, as these users. Needs root, to be several of them. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { UploadPersistentCacheTaskRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { RemoveKeptTaskRequest } from '../../gen/dfdaemon/v2/local.ts';
import { callAs } from '../support/call-as.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

const user = { uid: 65_534, gid: 65_533 };
const skip = process.geteuid?.() === 0 ? false : 'only root can be several users';

describe('imports of users', { timeout: 120_000, skip }, () => {
  let swarm: LocalSwarm;
  let daemon: Daemon;
  const cleanup = new AsyncDisposableStack();

  before(async () => {
    swarm = cleanup.use(await LocalSwarm.create());
    await swarm.startScheduler();
    daemon = await swarm.startDaemon('root');
    chmodSync(swarm.directory.path, 0o755);
    chmodSync(daemon.socket.slice(0, daemon.socket.lastIndexOf('/')), 0o755);
    chmodSync(daemon.socket, 0o666);
  });
  after(() => cleanup.disposeAsync());

  function importAs(who: typeof user, path: string): Promise<number> {
    const request = { path, persistentReplicaCount: 1, ttl: { seconds: 3600, nanos: 0 } };
    const bytes = UploadPersistentCacheTaskRequest.encode(
      UploadPersistentCacheTaskRequest.fromPartial(request),
    ).finish();
    return callAs(who, daemon.socket, '/dfdaemon.v2.DfdaemonDownload/UploadPersistentCacheTask', bytes);
  }

  function removeAs(who: typeof user, taskId: string): Promise<number> {
    const bytes = RemoveKeptTaskRequest.encode({ taskId }).finish();
    return callAs(who, daemon.socket, '/dfdaemon.v2.DfdaemonLocal/RemoveKeptTask', bytes);
  }

  async function held(): Promise<string[]> {
    const { tasks } = await swarm.client(daemon).listLocalPersistentCacheTasks({});
    return tasks.map(({ taskId }) => taskId);
  }

  test('take what is theirs to read, and nothing else', async () => {
    const own = swarm.directory.join('own');
    mkdirSync(own);
    chownSync(own, user.uid, user.gid);
    writeFileSync(`${own}/private`, 'of the user', { mode: 0o600 });
    chownSync(`${own}/private`, user.uid, user.gid);
    const secret = swarm.directory.join('secret');
    writeFileSync(secret, 'of root', { mode: 0o600 });
    symlinkSync(secret, `${own}/link`);
    const descriptors = `/proc/${process.pid}/fd/1`;
    for (const path of [secret, `${own}/link`, own, `${own}/nothing`, 'own/private', '/dev/zero', descriptors])
      assert.notEqual(await importAs(user, path), 0, path);
    assert.deepEqual(await held(), []);
    assert.deepEqual(readdirSync(swarm.directory.join('root/data/incoming')), []);
    assert.equal(await importAs(user, `${own}/private`), 0);
    const id = createHash('sha256').update('of the userPERSISTENT_CACHE').digest('hex');
    assert.deepEqual(await held(), [id]);
  });

  test('are deleted by their user and by root, not by others', async () => {
    const [taskId = ''] = await held();
    assert.equal(await removeAs({ uid: 65_532, gid: 65_532 }, taskId), status.PERMISSION_DENIED);
    assert.deepEqual(await held(), [taskId]);
    assert.equal(await removeAs(user, taskId), 0);
    assert.deepEqual(await held(), []);
  });
});
