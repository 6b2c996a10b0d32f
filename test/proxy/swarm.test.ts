// needs: docker-registry, skopeo, ip
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LocalCluster } from '../../src/cli/up-cluster.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { DockerRegistry } from './docker-registry.ts';
import { localAddress, run, type LocalAddress } from './engines-fixture.ts';
import { makeImage, pushImage, type Image } from './images.ts';
import { ask } from './proxy-fixture.ts';

describe('a real cluster behind the proxies', () => {
  let directory: TemporaryDirectory;
  let local: LocalAddress;
  let registry: DockerRegistry;
  let cluster: LocalCluster;
  before(async () => {
    directory = await temporaryDirectory('df-swarm-');
    local = await localAddress();
    registry = await DockerRegistry.start({ directory: directory.join('registry'), address: local.address });
    cluster = await LocalCluster.start({ directory: directory.path, peers: 3 });
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await local[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });
  const proxyPort = (name: string): number => Number(cluster.node(name).process.address('proxy').split(':').at(-1));

  async function publish(repository: string, layers: number, layerBytes: number): Promise<Image> {
    const image = makeImage({ layers, layerBytes });
    await pushImage(registry.url, repository, 'v1', image);
    return image;
  }

  async function pull(peer: string, repository: string, image: Image): Promise<void> {
    const target = directory.join(`${repository.replace('/', '-')}-${peer}`);
    await run(
      'skopeo',
      ['copy', '--src-tls-verify=false', `docker://${registry.host}/${repository}:v1`, `oci:${target}:v1`],
      {
        env: { HTTP_PROXY: `http://127.0.0.1:${proxyPort(peer)}` },
      },
    );
    const names = await readdir(join(target, 'blobs', 'sha256'));
    for (const name of names) {
      assert.equal(
        createHash('sha256')
          .update(await readFile(join(target, 'blobs', 'sha256', name)))
          .digest('hex'),
        name,
      );
    }
    for (const { digest } of image.layers) assert.ok(names.includes(digest.slice(7)));
  }

  test('three nodes pull twenty layers at once: every digest right, one copy of each layer from the registry', async () => {
    const image = await publish('swarm/layers', 20, 100_000);
    await Promise.all(['peer-1', 'peer-2', 'peer-3'].map((peer) => pull(peer, 'swarm/layers', image)));
    for (const { digest } of image.layers) assert.equal(registry.gets(digest), 1, digest);
  });

  test('different ranges on different nodes cost the registry one copy', async () => {
    const content = randomBytes(16 * 2 ** 20);
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    await pushImage(registry.url, 'swarm/ranges', 'v1', {
      ...makeImage({ layers: 0, layerBytes: 0 }),
      layers: [{ digest, content }],
    });
    const mebibyte = 2 ** 20;
    const wanted = [0, 5, 11].flatMap((first, node) =>
      [first, first + 3].map((start) => ({ node, start: start * mebibyte })),
    );
    await Promise.all(
      wanted.map(async ({ node, start }) => {
        const headers = { Range: `bytes=${start}-${start + mebibyte - 1}`, 'X-Dragonfly-Prefetch': 'true' };
        const answer = await ask(
          { port: proxyPort(`peer-${node + 1}`) },
          `${registry.url}/v2/swarm/ranges/blobs/${digest}`,
          { headers },
        );
        assert.equal(answer.status, 206);
        assert.equal(answer.headers['content-range'], `bytes ${start}-${start + mebibyte - 1}/${content.length}`);
        assert.ok(answer.body.equals(content.subarray(start, start + mebibyte)));
      }),
    );
    assert.ok(
      registry.bytesSent(digest) <= content.length * 1.02,
      `${registry.bytesSent(digest)} bytes left the registry`,
    );
  });

  for (const victim of ['seed-1', 'scheduler-1', 'manager']) {
    test(`${victim} gone: pulls end right`, async () => {
      const image = await publish(`gone/${victim}`, 4, 200_000);
      await cluster.kill(victim);
      await Promise.all(['peer-1', 'peer-2', 'peer-3'].map((peer) => pull(peer, `gone/${victim}`, image)));
    });
  }
});
