/** Preheating images out of a real registry that wants tokens. */
// needs: docker-registry, openssl
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { DfdaemonLocalDefinition } from '../../gen/dfdaemon/v2/local.ts';
import { taskId } from '../../src/core/ids.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { createClient } from '../../src/rpc/client.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import { startSwarm, type RegisteredSwarm } from './support/registered-swarm.ts';
import type { RestClient } from './support/rest-client.ts';
import { registryLogin, TokenRegistry } from './support/token-registry.ts';

const missing = existsSync('/usr/bin/docker-registry') ? false : 'docker-registry is not installed';

interface Job {
  readonly id: number;
  readonly state: string;
  readonly result: { job_states: { error: string }[] } | null;
  readonly progress: { nodes: { host_name: string; blobs: { url: string; verified: boolean }[] }[] };
}

interface Estimate {
  readonly nodes: number;
  readonly items: number;
  readonly content_bytes: number;
  readonly unknown_items: number;
  readonly origin_bytes: number;
  readonly node_bytes: number;
  readonly too_full: readonly string[];
}

describe('image preheat', { skip: missing }, () => {
  let registry: TokenRegistry;
  let manager: ManagerService;
  let root: RestClient;
  let registered: RegisteredSwarm;

  before(async () => {
    registry = await TokenRegistry.start();
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {
      job: { preheat: { allowCIDRs: ['127.0.0.0/8'] } },
    });
    root = await rootOf(manager);
    registered = await startSwarm(manager, ['seed-1', 'peer-1', 'peer-2']);
  });
  after(async () => {
    await registered[Symbol.asyncDispose]();
    await manager[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  async function preheat(args: object): Promise<Job> {
    const { id } = await root.ok<Job>('POST', '/api/v1/jobs', { type: 'preheat', args: { type: 'image', ...args } });
    return eventually(async () => {
      const job = await root.ok<Job>('GET', `/api/v1/jobs/${id}`);
      assert.notEqual(job.state, 'PENDING');
      return job;
    }, 30_000);
  }

  const estimate = (args: object): Promise<Estimate> => root.ok('POST', '/api/v1/jobs/estimate', { args });

  test('what files cost is told with the lengths that their origins tell', async () => {
    await using origin = await HttpOrigin.start();
    const known = origin.add('/model.bin', { content: Buffer.alloc(3_000_000, 1) });
    const urls = [known, 'hf://org/model/weights.bin', 'http://127.0.0.1:1/nobody'];
    const told = await estimate({ type: 'file', urls, scope: 'all_seed_peers' });
    assert.deepEqual([told.nodes, told.items, told.unknown_items], [1, 3, 2]);
    assert.deepEqual([told.content_bytes, told.origin_bytes, told.node_bytes], [3_000_000, 3_000_000, 3_000_000]);
    await assert.rejects(estimate({ type: 'file' }), /422|400/);
    await assert.rejects(
      root.ok('POST', '/api/v1/jobs/estimate', { args: { type: 'file', url: known }, scheduler_cluster_ids: [77] }),
      /there is no cluster 77/,
    );
  });

  test('without or with wrong credentials the job says that the registry refused', async () => {
    const image = await registry.push('private/app', ['linux/amd64'], [1_000]);
    for (const login of [{}, { username: 'puller', password: 'wrong' }]) {
      const job = await preheat({ url: image.url, ...login });
      assert.equal(job.state, 'FAILURE');
      assert.match(job.result?.job_states[0]?.error ?? '', /answered 401/);
    }
  });

  test('a platform the image does not have is named, with those it has', async () => {
    const image = await registry.push('demo/platforms', ['linux/amd64', 'linux/arm64'], [1_000]);
    const job = await preheat({ url: image.url, platform: 'linux/s390x', ...registryLogin });
    assert.match(job.result?.job_states[0]?.error ?? '', /nothing for linux\/s390x; it has linux\/amd64, linux\/arm64/);
  });

  test('blobs are preheated by the name that the last pull of the cluster had for one', async () => {
    const pulled = await registry.push('demo/pulled', ['linux/amd64'], [5_000_000]);
    const image = await registry.push('demo/named', ['linux/amd64'], [5_000_000]);
    const { swarm } = registered;
    const authorization = `Bearer ${await registry.pullToken('demo/pulled')}`;
    const peer = swarm.daemons.find(({ name }) => name === 'peer-1');
    assert(peer);
    const store = createClient(
      DfdaemonLocalDefinition,
      swarm.channels,
      `unix:${swarm.directory.join('seed-1', 'd.sock')}`,
    );
    const [url = ''] = pulled.blobs['linux/amd64'] ?? [];
    for (const byDigest of [false, true]) {
      await swarm.download(peer, { url, enableTaskIdBasedBlobDigest: byDigest, requestHeader: { authorization } });
      const job = await preheat({ url: image.url, ...registryLogin });
      assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
      const held = new Set((await store.listStoredTasks({})).tasks.map((task) => task.taskId));
      for (const blob of image.blobs['linux/amd64'] ?? [])
        assert.ok(held.has(taskId({ url: blob, blobDigestAsId: byDigest })), `${blob}, ${byDigest ? 'digest' : 'URL'}`);
    }
  });

  test('G7 the layers of one platform are at every peer, and stay there when the registry is gone', async () => {
    const image = await registry.push('demo/app', ['linux/amd64', 'linux/arm64'], [6_000_000, 300_000]);
    const args = { type: 'image', url: image.url, platform: 'linux/arm64', scope: 'all_peers', ...registryLogin };
    const cold = await estimate(args);
    assert.deepEqual([cold.nodes, cold.items, cold.unknown_items, cold.too_full], [3, 6, 0, []]);
    assert.ok(cold.content_bytes > 6_300_000 && cold.content_bytes < 6_320_000, `${cold.content_bytes}`);
    assert.deepEqual([cold.origin_bytes, cold.node_bytes], [cold.content_bytes, 3 * cold.content_bytes]);
    const tokens = registry.tokens;
    const job = await preheat(args);
    assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
    assert.deepEqual(job.progress.nodes.map((node) => node.host_name).toSorted(), ['peer-1', 'peer-2', 'seed-1']);
    for (const { blobs } of job.progress.nodes) {
      const urls = blobs.map(({ url }) => url);
      assert.equal(urls.filter((url) => url.includes('/manifests/')).length, 3, 'by tag, and both by digest');
      assert.deepEqual(
        urls.filter((url) => url.includes('/blobs/')).toSorted(),
        [...(image.blobs['linux/arm64'] ?? [])].toSorted(),
      );
      assert.ok(blobs.every(({ verified }) => verified));
    }
    assert.equal(registry.tokens - tokens, 1, 'one token for manifests and blobs');
    await eventually(async () => {
      const warm = await estimate(args);
      assert.deepEqual([warm.content_bytes, warm.origin_bytes], [cold.content_bytes, 0], 'the cluster holds all of it');
    });

    const spread = await root.ok<{
      image: { layers: unknown[] };
      peers: { hostname: string; cached_layers: unknown[] }[];
    }>('POST', '/api/v1/jobs', {
      type: 'get_image_distribution',
      args: { url: image.url, platform: 'linux/arm64', ...registryLogin },
    });
    assert.equal(spread.image.layers.length, 3);
    assert.deepEqual(
      spread.peers.map((peer) => peer.cached_layers.length),
      [3, 3, 3],
    );

    await registry.stopServing();
    const { swarm } = registered;
    const late = await swarm.startDaemon('late');
    const { username, password } = registryLogin;
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    for (const url of image.blobs['linux/arm64'] ?? []) {
      // The registry gave them to somebody with credentials, and cannot be asked whether these are as good.
      for (const requestHeader of [{}, { authorization }])
        await assert.rejects(swarm.download(late, { url, requestHeader }), { code: 'SOURCE_UNREACHABLE' });
    }
    for (const peer of ['peer-1', 'peer-2']) {
      const socket = swarm.directory.join(peer, 'd.sock');
      const store = createClient(DfdaemonLocalDefinition, swarm.channels, `unix:${socket}`);
      const { tasks } = await store.listStoredTasks({});
      const layers = tasks.filter(({ url }) => image.blobs['linux/arm64']?.includes(url));
      assert.equal(layers.length, image.blobs['linux/arm64']?.length);
      for (const { taskId } of layers) assert.deepEqual((await store.verifyLocalTask({ taskId })).badPieces, []);
    }
  });
});
