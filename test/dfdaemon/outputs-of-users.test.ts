/** A daemon of root writes what users of its socket ask for as these users. Needs root, to be several of them. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { taskId } from '../../src/core/ids.ts';
import { createClient } from '../../src/rpc/client.ts';
import { DfdaemonLocalDefinition, ExportLocalTaskRequest } from '../../gen/dfdaemon/v2/local.ts';
import { DownloadTaskRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { callAs } from '../support/call-as.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

const content = Buffer.alloc(2_000_000, 'output ');
const user = { uid: 65_534, gid: 65_533 };
const skip = process.geteuid?.() === 0 ? false : 'only root can be several users';

describe('outputs of users', { timeout: 120_000, skip }, () => {
  let swarm: LocalSwarm;
  let daemon: Daemon;
  let url: string;
  let own: string;
  const cleanup = new AsyncDisposableStack();

  before(async () => {
    swarm = cleanup.use(await LocalSwarm.create());
    const origin = cleanup.use(await HttpOrigin.start());
    daemon = await swarm.startDaemon('root');
    url = origin.add('/output', { content });
    chmodSync(swarm.directory.path, 0o755);
    chmodSync(daemon.socket.slice(0, daemon.socket.lastIndexOf('/')), 0o755);
    chmodSync(daemon.socket, 0o666);
    own = swarm.directory.join('own');
    mkdirSync(own);
    chownSync(own, user.uid, user.gid);
  });
  after(() => cleanup.disposeAsync());

  async function ask(outputPath: string, more: { overwrite?: boolean; forceHardLink?: boolean } = {}): Promise<number> {
    const download = { url, priority: 6 as const, outputPath, ...more };
    const bytes = DownloadTaskRequest.encode(DownloadTaskRequest.fromPartial({ download })).finish();
    return callAs(user, daemon.socket, '/dfdaemon.v2.DfdaemonDownload/DownloadTask', bytes);
  }

  test('are theirs, in directories that are theirs', async () => {
    const path = `${own}/file`;
    assert.equal(await ask(path), 0);
    const { uid, gid, mode } = statSync(path);
    assert.deepEqual({ uid, gid, mode: mode & 0o777 }, { ...user, mode: 0o644 });
    assert.deepEqual(readFileSync(path), content);
    assert.notEqual(await ask(path), 0, 'it exists');
    assert.equal(await ask(path, { overwrite: true }), 0);
  });

  test('replace and create nothing that they could not themselves', async () => {
    const roots = swarm.directory.join('of-root');
    mkdirSync(roots, { mode: 0o755 });
    writeFileSync(`${roots}/config`, 'of root', { mode: 0o644 });
    symlinkSync(`${roots}/config`, `${own}/link`);
    symlinkSync(`${roots}/new`, `${own}/new-link`);
    for (const path of [
      `${roots}/config`,
      `${roots}/other`,
      `${own}/link`,
      `${own}/new-link`,
      '/dev/mem',
      '/proc/1/comm',
    ])
      assert.notEqual(await ask(path, { overwrite: true }), 0, path);
    assert.equal(readFileSync(`${roots}/config`, 'utf8'), 'of root');
    assert.equal(existsSync(`${roots}/other`) || existsSync(`${roots}/new`), false);
    assert.notEqual(await ask(`${own}/hard`, { forceHardLink: true }), 0, "the daemon's file under a name of theirs");
  });

  test('are taken out of the store without a question to the origin only where it gives the content to everybody', async () => {
    for (const requestHeader of [{}, { authorization: 'Bearer right' }])
      await swarm.download(daemon, { url, tag: 'stored', requestHeader });
    const local = createClient(DfdaemonLocalDefinition, swarm.channels, `unix:${daemon.socket}`);
    const { tasks } = await local.listStoredTasks({});
    const open = taskId({ url, tag: 'stored' });
    const restricted = tasks.find((task) => task.tag === 'stored' && task.taskId !== open)?.taskId;
    const ask = (id: string): Promise<number> => {
      const request = ExportLocalTaskRequest.fromPartial({ taskId: id, needContent: true });
      const bytes = ExportLocalTaskRequest.encode(request).finish();
      return callAs(user, daemon.socket, '/dfdaemon.v2.DfdaemonLocal/ExportLocalTask', bytes);
    };
    assert.deepEqual([await ask(open), await ask(restricted ?? '')], [0, status.PERMISSION_DENIED]);
  });

  test('lie below the configured directories', async () => {
    const roots = await swarm.startDaemon('roots', {
      adjust: (config) => ({ ...config, download: { ...config.download, outputRoots: [own] } }),
    });
    await swarm.download(roots, { url, outputPath: `${own}/inside` });
    symlinkSync(swarm.directory.path, `${own}/way-out`);
    for (const path of [swarm.directory.join('outside'), `${own}/../outside`, `${own}/way-out/outside`])
      await assert.rejects(swarm.download(roots, { url, outputPath: path }), { code: 'PERMISSION_DENIED' }, path);
  });
});
