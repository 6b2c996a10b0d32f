/** Replication by rule: a real registry, to which skopeo pushes, and two clusters of real daemons under one manager. */
// needs: docker-registry, skopeo, ip
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { programExists } from '../../../scripts/debian-packages.ts';
import type { ManagerService } from '../../../src/manager/manager-service.ts';
import { DockerRegistry } from '../../proxy/support/docker-registry.ts';
import { localAddress, run } from '../../proxy/support/engines-fixture.ts';
import { makeImage, type Image } from '../../proxy/support/images.ts';
import { startCutRelay } from './cut-relay.ts';
import { freePort } from '../../support/free-port.ts';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { databaseConfig, eventually } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';

const missing = ['docker-registry', 'skopeo', 'ip'].find((program) => !programExists(program));
const tagCount = 100;

interface Rule {
  readonly id: number;
  readonly tag_count: number;
  readonly error: string;
  readonly clusters: readonly { scheduler_cluster_id: number; proven: number; failed: number }[];
}

interface Tag {
  readonly tag: string;
  readonly digest: string;
  readonly clusters: readonly { scheduler_cluster_id: number; state: string; digest: string; error: string }[];
}

test(
  'two clusters have 100 tags by rule, though a manager restarts and a link is cut half-way; later only what moves is copied',
  { skip: missing === undefined ? false : `${missing} is not installed` },
  async (t) => {
    await using owned = new AsyncDisposableStack();
    const { address } = owned.use(await localAddress());
    const swarm = owned.use(await LocalSwarm.create());
    const { directory } = swarm;
    const [grpcPort, registryPort] = [await freePort(), await freePort(address)];
    const start = async (): Promise<ManagerService> =>
      startManager(databaseConfig({ sqlite: { path: directory.join('manager.db') } }), {
        server: { grpc: { listenIP: '127.0.0.1', port: { start: grpcPort } }, rest: { addr: `127.0.0.1:${restPort}` } },
        job: { preheat: { allowCIDRs: [`${address}/32`] } },
      });
    const restPort = await freePort();
    let manager = await start();
    owned.defer(() => manager[Symbol.asyncDispose]());
    let root = await rootOf(manager);
    const second = await root.ok<{ id: number }>('POST', '/api/v1/scheduler-clusters', {
      name: 'second',
      config: {},
      client_config: {},
      scopes: {},
      is_default: false,
    });
    const host = `${address}:${registryPort}`;
    const rule = await root.ok<Rule>('POST', '/api/v1/replication-rules', {
      name: 'apps',
      source: `http://${host}/team/*`,
      tags: ['v*'],
      scheduler_cluster_ids: [1, second.id],
      on_push: true,
      enabled: false,
    });
    const path = `/api/v1/replication-rules/${rule.id}`;
    const { secret } = await root.ok<{ secret: string }>('POST', `${path}/secret`);
    const registry = owned.use(
      await DockerRegistry.start({
        directory: directory.join('registry'),
        address,
        port: registryPort,
        notify: { url: `http://127.0.0.1:${restPort}${path}/notifications`, secret },
      }),
    );
    const images = new Map(Array.from({ length: tagCount }, (_, index) => [`v${index}`, smallImage()]));
    await push(directory.join('images'), `${host}/team`, new Map([...images, ['latest', smallImage()]]));

    const relay = owned.use(await startCutRelay(host));
    for (const [clusterId, proxy] of [[1], [second.id, `http://127.0.0.1:${relay.port}`]] as const) {
      const scheduler = await swarm.startScheduler(
        0,
        `{addr: "127.0.0.1:${grpcPort}", schedulerClusterID: ${clusterId}, keepAlive: {interval: 500ms}}`,
      );
      await swarm.startDaemon(`seed-${clusterId}`, {
        seed: true,
        schedulers: [scheduler],
        adjust: (config) =>
          proxy === undefined
            ? config
            : { ...config, download: { ...config.download, outboundProxy: { http: proxy, noProxy: [] } } },
      });
    }

    const provenIn = async (clusterId: number): Promise<number> => {
      const { clusters } = await root.ok<Rule>('GET', path);
      return clusters.find(({ scheduler_cluster_id: id }) => id === clusterId)?.proven ?? 0;
    };
    const reaches = (clusterId: number, count: number): Promise<void> =>
      eventually(
        async () => assert.ok((await provenIn(clusterId)) >= count, JSON.stringify(await root.ok('GET', path))),
        120_000,
      );
    await root.ok('PATCH', path, { enabled: true });
    await reaches(second.id, tagCount / 5);
    await manager[Symbol.asyncDispose]();
    manager = await start();
    root = await rootOf(manager);
    await reaches(second.id, tagCount / 2);
    relay.cut();
    await reaches(1, tagCount);
    await eventually(async () => {
      const { clusters: half } = await root.ok<Rule>('GET', path);
      const behind = half.find(({ scheduler_cluster_id: id }) => id === second.id);
      assert.ok(behind && behind.proven < tagCount && behind.failed > 0, 'nothing goes over a link that is cut');
      t.diagnostic(`at the cut: ${JSON.stringify(half)}`);
    });
    relay.restore();
    await reaches(second.id, tagCount);

    const tags = await root.ok<Tag[]>('GET', `${path}/tags?per_page=1000`);
    assert.equal(tags.length, tagCount, 'what the pattern does not match is left alone');
    for (const { tag, digest, clusters } of tags) {
      assert.equal(digest, images.get(tag)?.manifest.digest);
      for (const cluster of clusters)
        assert.deepEqual([cluster.state, cluster.digest, cluster.error], ['proven', digest, '']);
    }
    const layers = [...images.values()].flatMap((image) => image.layers);
    const total = layers.reduce((sum, { content }) => sum + content.length, 0);
    const sent = (): number => layers.reduce((sum, { digest }) => sum + registry.bytesSent(digest), 0);
    const copies = sent() / total;
    const more = layers.filter(({ digest }) => registry.gets(digest) > 2).length;
    t.diagnostic(
      `${tags.length} tags proven in both; ${copies.toFixed(3)} copies of the layers for 2 clusters, ${more} layers asked for more than twice`,
    );
    assert.ok(copies < 2.1, `${copies} copies`);
    assert.ok(more <= 8, `${more} layers were begun again, of at most four tags under way`);

    const before = sent();
    const moved = new Map(['v3', 'v50', 'v99'].map((tag) => [tag, smallImage()]));
    const old = new Map([...moved.keys()].map((tag) => [tag, images.get(tag)]));
    await push(directory.join('moved'), `${host}/team`, moved);
    await eventually(async () => {
      const now = await root.ok<Tag[]>('GET', `${path}/tags?per_page=1000`);
      for (const { tag, clusters } of now) {
        const digest = (moved.get(tag) ?? images.get(tag))?.manifest.digest;
        for (const cluster of clusters) assert.deepEqual([cluster.state, cluster.digest], ['proven', digest], tag);
      }
    }, 60_000);
    assert.equal(sent(), before, 'no layer that was there is copied again');
    for (const { layers: fresh } of moved.values())
      for (const { digest, content } of fresh) assert.equal(registry.bytesSent(digest), 2 * content.length);
    assert.equal(old.size, 3);
  },
);

function smallImage(): Image {
  return makeImage({ layers: 2, layerBytes: 100_000 });
}

/** skopeo pushes all images at once, each as `app` with its tag. */
async function push(place: string, target: string, images: ReadonlyMap<string, Image>): Promise<void> {
  for (const [tag, { manifest, config, layers }] of images) {
    const image = join(place, `app:${tag}`);
    await mkdir(image, { recursive: true });
    await writeFile(join(image, 'version'), 'Directory Transport Version: 1.1\n');
    await writeFile(join(image, 'manifest.json'), manifest.content);
    for (const { digest, content } of [config, ...layers]) await writeFile(join(image, digest.slice(7)), content);
  }
  await run('skopeo', ['sync', '--src', 'dir', '--dest', 'docker', '--dest-tls-verify=false', place, target]);
}
