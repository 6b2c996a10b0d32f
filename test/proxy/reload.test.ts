/** A daemon as a process follows its configuration file: how the file changes, and what of it is taken. */
import assert from 'node:assert/strict';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { ask, daemonConfig, serveBody, startOrigin, type Origin } from './support/proxy-fixture.ts';

const ruled = (regx: string): Record<string, unknown> => ({ proxies: [{ regx }] });

async function startProcess(path: string): Promise<ManagedProcess & { readonly port: number }> {
  const process = await ManagedProcess.start({ name: 'dfdaemon', program: 'dfdaemon', args: ['--config', path] });
  const address = process.address('proxy');
  return Object.assign(process, { port: Number(address.slice(address.lastIndexOf(':') + 1)) });
}

/** Whether the proxy gives this path to the peers. */
async function byPeers(daemon: { readonly port: number }, origin: Origin, path: string): Promise<boolean> {
  const answer = await ask(daemon, `${origin.url}${path}`);
  assert.equal(answer.status, 200);
  return answer.headers['x-dragonfly-task-id'] !== undefined || answer.headers['x-dragonfly-task'] !== undefined;
}

test('rules follow a file that is replaced or written in place; a broken one changes nothing and is told', async () => {
  await using directory = await temporaryDirectory('df-reload-');
  await using origin = await startOrigin(serveBody(Buffer.alloc(2 ** 20, 'x'), { etag: '"v1"' }));
  const path = directory.join('dfget.yaml');
  await writeFile(path, daemonConfig(directory.path, { proxy: ruled('/first') }));
  await using daemon = await startProcess(path);
  assert.equal(await byPeers(daemon, origin, '/first'), true);
  assert.equal(await byPeers(daemon, origin, '/second'), false);

  await writeFile(directory.join('aside'), daemonConfig(directory.path, { proxy: ruled('/second') }));
  await rename(directory.join('aside'), path);
  await waitFor('the rule of the file that took its place', () => byPeers(daemon, origin, '/second'));
  assert.equal(await byPeers(daemon, origin, '/first'), false);

  await writeFile(path, daemonConfig(directory.path, { proxy: ruled('(') }));
  await waitFor('a word on the broken file', () => daemon.tail().includes('the changed configuration is not used'));
  assert.match(daemon.tail(), /proxy\.proxies\.0\.regx/);
  assert.equal(await byPeers(daemon, origin, '/second'), true);

  await writeFile(path, daemonConfig(directory.path, { proxy: ruled('/third'), more: { gcInterval: '2m' } }));
  await waitFor('the rule of the mended file', () => byPeers(daemon, origin, '/third'));
  await waitFor('a word on what needs a restart', () => /"sections":\["gcInterval"\]/.test(daemon.tail()));
});

test('rules follow a mounted directory whose link is swapped', async () => {
  await using directory = await temporaryDirectory('df-reload-');
  await using origin = await startOrigin(serveBody(Buffer.alloc(2 ** 20, 'x'), { etag: '"v1"' }));
  for (const [version, regx] of [
    ['v1', '/first'],
    ['v2', '/second'],
  ] as const) {
    await mkdir(directory.join(version));
    await writeFile(directory.join(`${version}/dfget.yaml`), daemonConfig(directory.path, { proxy: ruled(regx) }));
  }
  await symlink('v1', directory.join('..data'));
  await symlink('..data/dfget.yaml', directory.join('dfget.yaml'));
  await using daemon = await startProcess(directory.join('dfget.yaml'));
  assert.equal(await byPeers(daemon, origin, '/second'), false);

  await symlink('v2', directory.join('..data_tmp'));
  await rename(directory.join('..data_tmp'), directory.join('..data'));
  await waitFor('the rule of the second version', () => byPeers(daemon, origin, '/second'));
});

test('with reload.interval 0 the file is read once', async () => {
  await using directory = await temporaryDirectory('df-reload-');
  await using origin = await startOrigin(serveBody(Buffer.alloc(2 ** 20, 'x'), { etag: '"v1"' }));
  const config = (regx: string): string =>
    daemonConfig(directory.path, { proxy: ruled(regx), more: { reload: { interval: 0 } } });
  await writeFile(directory.join('off.yaml'), config('/first'));
  await using daemon = await startProcess(directory.join('off.yaml'));
  await writeFile(directory.join('off.yaml'), config('/second'));

  // a second daemon that does follow the same directory shows that the change has been there to see
  await using other = await temporaryDirectory('df-reload-');
  const followed = directory.join('on.yaml');
  await writeFile(followed, daemonConfig(other.path, { proxy: ruled('/first') }));
  await using follower = await startProcess(followed);
  await writeFile(followed, daemonConfig(other.path, { proxy: ruled('/second') }));
  await waitFor('the follower to follow', () => byPeers(follower, origin, '/second'));
  assert.equal(await byPeers(daemon, origin, '/second'), false);
});
