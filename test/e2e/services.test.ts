// needs: ip
/** What every service does, whatever it is for: starts without a file and with a published one, tells how it is, ends. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { productCommand } from '../support/product.ts';
import { parseConfig } from '../../src/core/config/config.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { isServing } from '../../src/rpc/server/health.ts';
import { publishedDfgetYaml } from '../support/published-dfget.ts';
import { reflectedServices } from '../support/reflection.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const signal = AbortSignal.timeout(600_000);

/** Where services keep what they have when nobody tells them another place. */
const defaultDirectories = ['/etc', '/var/lib', '/var/log', '/var/cache', '/var/run', '/usr/local'].map(
  (parent) => `${parent}/dragonfly`,
);

/** A host of its own with all ports free and nothing of us on its disk; the words put a command on it. */
async function newHost(owned: AsyncDisposableStack): Promise<readonly string[]> {
  for (const directory of defaultDirectories) {
    if (existsSync(directory)) continue;
    await mkdir(directory, { recursive: true });
    owned.defer(() => rmdir(directory));
  }
  const mounts = defaultDirectories.map((directory) => `mount -t tmpfs -o mode=700 tmpfs ${directory}`);
  const script = ['ip link set lo up', ...mounts, 'exec "$@"'].join(' && ');
  return ['unshare', '--mount', '--net', '--', 'sh', '-c', script, 'sh'];
}

describe('a service on a host of its own', { skip: process.getuid?.() !== 0 && 'needs root, to make one' }, () => {
  const ports: Readonly<Record<'manager' | 'scheduler' | 'dfdaemon', Readonly<Record<string, number>>>> = {
    manager: { grpc: 65_003, rest: 8080 },
    scheduler: { grpc: 8002 },
    dfdaemon: { peer: 65_000, proxy: 65_001, upload: 65_002, health: 40_901 },
  };
  for (const [program, listeners] of Object.entries(ports)) {
    test(`${program}: starts with no file at all on the well-known ports, ends with 0 when asked to`, async () => {
      await using owned = new AsyncDisposableStack();
      const enter = await newHost(owned);
      const service = owned.use(
        await ManagedProcess.start({ name: program, program, command: productCommand(program), args: [], enter }),
      );
      for (const [listener, port] of Object.entries(listeners)) {
        assert.match(service.address(listener), new RegExp(`:${port}$`), listener);
      }
      assert.deepEqual(await service.stop(60_000), { code: 0, signal: null }, service.tail());
    });
  }

  test('dfdaemon: takes the file of a published set-up as it stands, and warns of its misplaced key', async () => {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(await temporaryDirectory());
    const path = directory.join('dfget.yaml');
    await writeFile(path, publishedDfgetYaml);
    const enter = await newHost(owned);
    const args = ['--config', path];
    const service = owned.use(
      await ManagedProcess.start({
        name: 'dfdaemon',
        program: 'dfdaemon',
        command: productCommand('dfdaemon'),
        args,
        enter,
      }),
    );
    const line = publishedDfgetYaml.split('\n').indexOf('  seedPeer:') + 1;
    assert.ok(
      service.tail(400).includes(`${path}:${line}: scheduler.seedPeer is misplaced`),
      `no warning of line ${line}:\n${service.tail(400)}`,
    );
    assert.match(service.address('metrics'), /:8000$/);
  });
});

test('a published dfget.yaml means what it says, its misplaced key is told, and in one line what has no effect', () => {
  const { config, warnings } = parseConfig(dfdaemonConfigSchema, publishedDfgetYaml, 'dfget.yaml');
  assert.equal(warnings.length, 2, warnings.join('\n'));
  assert.match(warnings[0] ?? '', /^dfget\.yaml:\d+: scheduler\.seedPeer .* scheduler\.manager\.seedPeer;/);
  assert.match(warnings[1] ?? '', /^dfget\.yaml: taken without effect: .*storage\.multiplex/);
  assert.equal(config.upload.rateLimit, 10_240 * 2 ** 20);
  assert.equal(config.storage.diskGCThreshold, 1000 * 2 ** 30);
  assert.equal(config.storage.taskExpireTime, 72 * 3_600_000);
  assert.equal(config.proxy.proxies.length, 2);
});

test('every gRPC port tells its health and its services; HTTP ports tell life and metrics', async () => {
  await using directory = await temporaryDirectory();
  await using cluster = await LocalCluster.start({ directory: directory.path, peers: 1, seeds: 0 });
  await using channels = new Channels();
  const [peer] = cluster.peers;
  assert.ok(peer);
  const expected = [
    [cluster.managerAddress, 'manager.v2.Manager'],
    [cluster.node('scheduler-1').process.address('grpc'), 'scheduler.v2.Scheduler'],
    [peer.process.address('peer'), 'dfdaemon.v2.DfdaemonUpload'],
    [peer.process.address('download'), 'dfdaemon.v2.DfdaemonDownload'],
  ] as const;
  for (const [address, service] of expected) {
    assert.ok(await isServing(channels, address, signal), `${service} at ${address} does not serve`);
    const services = await reflectedServices(channels, address);
    assert.match(services, new RegExp(service.replaceAll('.', '\\.')));
    assert.match(services, /grpc\.health\.v1\.Health/);
  }
  const get = async (address: string, path: string): Promise<{ status: number; text: string }> => {
    const response = await fetch(`http://${address}${path}`, { signal });
    return { status: response.status, text: await response.text() };
  };
  assert.deepEqual(await get(peer.process.address('health'), '/server/ping'), { status: 200, text: '"OK"' });
  const metrics = await get(peer.process.address('metrics'), '/metrics');
  for (const name of [
    'peer_task_total',
    'peer_task_failed_total',
    'piece_task_total',
    'peer_task_cache_hit_total',
    'proxy_request_total',
    'version',
  ])
    assert.match(metrics.text, new RegExp(`^# TYPE dragonfly_dfdaemon_${name} `, 'm'));
});
