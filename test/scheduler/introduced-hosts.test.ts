// needs: redis-server
/** Daemons of the original that have not announced themselves at a scheduler of ours yet. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Host } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, DownloadTaskResponse } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { swarmFeature } from '../../src/rpc/features.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { freePort } from '../support/free-port.ts';
import { RedisServer } from '../support/redis-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { SchedulerFixture, contentLength, pieceLength, url } from './fixture.ts';
import { TestManager } from './test-manager.ts';

const timeout = 30_000;
const known = {
  actualContentLength: contentLength,
  actualPieceLength: pieceLength,
  actualPieceCount: contentLength / pieceLength,
};

/** The gRPC port of a daemon; of the original unless it names extensions. */
class TestDaemon implements AsyncDisposable {
  readonly asked = Promise.withResolvers<string | undefined>();
  readonly server: RpcServer;

  constructor(features: readonly string[] = []) {
    const { asked } = this;
    this.server = RpcServer.create({ host: '127.0.0.1', port: 0 }, { features }).addService(DfdaemonUploadDefinition, {
      downloadTask: async function* ({ download }) {
        asked.resolve(download?.url);
        await Promise.resolve();
        yield DownloadTaskResponse.fromPartial({});
      },
    });
  }

  static async start(features?: readonly string[]): Promise<TestDaemon> {
    const daemon = new TestDaemon(features);
    await daemon.server.start();
    return daemon;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server[Symbol.asyncDispose]();
  }
}

interface Written {
  readonly name: string;
  readonly port: number;
  readonly type?: 'super' | 'normal';
  readonly ageMs?: number;
  readonly kind?: string;
  readonly ip?: string;
}

/** As a scheduler of the original 2.5.1 does, less what is not read here. */
async function write(redis: RedisServer, written: Written): Promise<string> {
  const { name, port, type = 'normal', ageMs = 0, kind = 'persistent-hosts', ip = '127.0.0.1' } = written;
  const id = `${ip}-${name}${type === 'super' ? '-seed' : ''}`;
  const key = `scheduler:scheduler-clusters:1:${kind}`;
  const client = await redis.client(0);
  await client.hSet(`${key}:${id}`, {
    id,
    type,
    name,
    hostname: name,
    ip,
    port: String(port),
    download_port: String(port + 1),
    proxy_port: '4001',
    disable_shared: '0',
    network_location: '',
    network_idc: 'a',
    announce_interval: '300000000000',
    updated_at: new Date(Date.now() - ageMs).toISOString().replace(/\.\d+Z$/, '+00:00'),
  });
  await client.sAdd(key, id);
  client.destroy();
  return id;
}

async function hostIds({ client }: SchedulerFixture): Promise<string[]> {
  return (await client.listHosts({})).hosts.map(({ id }) => id).sort();
}

void describe('a scheduler in the place of one of the original', () => {
  void it('takes downloads of hosts it has not heard of, and sends their seed', { timeout }, async () => {
    await using redis = await RedisServer.start();
    await using seed = await TestDaemon.start();
    await write(redis, { name: 'seed', port: seed.server.port, type: 'super' });
    const peer = await write(redis, { name: 'peer', port: 4000 });
    await using scheduler = await SchedulerFixture.start(`database: { redis: { addrs: ["${redis.address}"] } }`);
    void scheduler.peer(Host.fromPartial({ id: peer }), { extended: false }).register(known);
    assert.equal(await seed.asked.promise, url);
  });

  void it('reads what older ones have written, and no host that is dead or of ours', { timeout }, async () => {
    await using redis = await RedisServer.start();
    await using ours = await TestDaemon.start([swarmFeature]);
    const kind = 'persistent-cache-hosts';
    const lives = await write(redis, { kind, name: 'lives', port: 4000, ageMs: 500_000 });
    await write(redis, { kind, name: 'silent', port: 4000, ageMs: 700_000 });
    await write(redis, { kind, name: 'nobody', port: await freePort(), type: 'super' });
    await write(redis, { kind, name: 'ours', port: ours.server.port, type: 'super' });
    await write(redis, { kind, name: 'odd', port: 400_000 });
    await using scheduler = await SchedulerFixture.start(`database: { redis: { addrs: ["${redis.address}"] } }`);
    assert.deepEqual(await hostIds(scheduler), [lives]);
  });

  void it('knows the seeds that the manager lists; their own word counts from then on', { timeout }, async () => {
    await using seed = await TestDaemon.start();
    const manager = new TestManager();
    manager.seedPeers = [{ hostname: 'listed', ip: '127.0.0.1', port: seed.server.port, downloadPort: 4001 }];
    await using server = manager.server;
    await server.start();
    await using scheduler = await SchedulerFixture.start(
      `manager: { addr: "${server.address}", keepAlive: { interval: 50ms } }`,
    );
    const id = '127.0.0.1-listed-seed';
    await waitFor('the seed', async () => (await hostIds(scheduler)).includes(id));
    const { brain } = scheduler.scheduler;
    assert.deepEqual([brain.hosts.get(id)?.introduced, brain.swarm.host(id)?.info.type], [true, 'seed']);
    await scheduler.host({ id, hostname: 'listed', port: 4711, type: 1 });
    assert.deepEqual([brain.hosts.get(id)?.introduced, brain.hosts.get(id)?.host.port], [false, 4711]);
  });

  void it('starts without a Redis that does not answer', { timeout }, async () => {
    const address = `127.0.0.1:${await freePort()}`;
    await using scheduler = await SchedulerFixture.start(`database: { redis: { addrs: ["${address}"] } }`);
    assert.deepEqual(await hostIds(scheduler), []);
  });
});
