// needs: docker-registry, skopeo, podman, containerd, ctr, ip
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { DockerRegistry } from './support/docker-registry.ts';
import { credentials } from './support/engine-lab.ts';
import { localAddress, run, startContainerd, type LocalAddress } from './support/engines-fixture.ts';
import { makeImage, makeIndex, pushImage, type Image } from './support/images.ts';
import { ask } from './support/proxy-fixture.ts';

describe('a real cluster behind the proxies', () => {
  let directory: TemporaryDirectory;
  let local: LocalAddress;
  let registry: DockerRegistry;
  let cluster: LocalCluster;
  before(async () => {
    directory = await temporaryDirectory('df-swarm-');
    local = await localAddress();
    registry = await DockerRegistry.start({ directory: directory.join('registry'), address: local.address });
    cluster = await LocalCluster.start({ directory: directory.path, peers: 4 });
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
    assertOneCopy(registry, image.layers);
  });

  test('three nodes with three engines pull one multi-platform image with a token at once', async () => {
    await using owned = new AsyncDisposableStack();
    const guarded = owned.use(
      await DockerRegistry.start({ directory: directory.join('guarded'), address: local.address, auth: 'token' }),
    );
    const containerd = owned.use(await startContainerd(directory.join('containerd')));
    const images = ['amd64', 'arm64'].map((architecture) => ({
      ...makeImage({ layers: 20, layerBytes: 20_000, architecture }),
      architecture,
    }));
    const index = makeIndex(images);
    await pushImage(guarded.url, 'swarm/engines', 'v1', index, guarded.request);
    const reference = `${guarded.host}/swarm/engines:v1`;
    const env = (peer: string) => ({ env: { HTTP_PROXY: `http://127.0.0.1:${proxyPort(peer)}` } });
    const ctr = (...args: string[]) => run('ctr', ['-a', containerd.socket, 'images', ...args], env('peer-1'));
    const storage = ['--root', directory.join('podman'), '--runroot', directory.join('podman-run')];
    const podman = ['--storage-driver', 'vfs', 'pull', '--tls-verify=false', '--creds', credentials, reference];
    const skopeo = ['copy', '--all', '--src-tls-verify=false', '--src-creds', credentials, `docker://${reference}`];
    const snapshots = ['--snapshotter', 'native'];
    await Promise.all([
      ctr('pull', '--plain-http', '--all-platforms', ...snapshots, '--user', credentials, reference),
      run('podman', [...storage, ...podman], env('peer-2')),
      run('skopeo', [...skopeo, `oci:${directory.join('engines')}:v1`], env('peer-3')),
    ]);
    assert.ok((await ctr('ls', `name==${reference}`)).includes(index.index.digest));
    assertOneCopy(
      guarded,
      images.flatMap(({ layers }) => layers),
    );
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
    const sent = registry.bytesSent(digest);
    assert.ok(sent <= content.length * 1.02, `${sent} bytes left the registry`);
  });

  test('a peer dies while the others get pieces from it: their pulls end right', async () => {
    const image = await publish('gone/peer', 1, 24 * 2 ** 20);
    const layer = image.layers[0]?.digest ?? '';
    const dying = request({
      host: '127.0.0.1',
      port: proxyPort('peer-4'),
      path: `/v2/gone/peer/blobs/${layer}`,
      headers: { 'X-Dragonfly-Registry': registry.url },
      agent: false,
    }).end();
    dying.on('error', () => undefined);
    const [message] = (await once(dying, 'response')) as [IncomingMessage];
    message.on('error', () => undefined);
    const others = ['peer-1', 'peer-2', 'peer-3'].map((peer) => pull(peer, 'gone/peer', image));
    await once(message, 'data');
    await cluster.kill('peer-4');
    await Promise.all(others);
    const copies = registry.bytesSent(layer) / (image.layers[0]?.content.length ?? 1);
    assert.ok(copies < 3, `${copies} copies for four nodes`); // without us it would be four
  });

  for (const victim of ['seed-1', 'scheduler-1', 'manager']) {
    test(`${victim} gone: pulls end right`, async () => {
      const image = await publish(`gone/${victim}`, 4, 200_000);
      await cluster.kill(victim);
      await Promise.all(['peer-1', 'peer-2', 'peer-3'].map((peer) => pull(peer, `gone/${victim}`, image)));
    });
  }
});

function assertOneCopy(origin: DockerRegistry, layers: Image['layers']): void {
  const counts = layers.map(({ digest }) => origin.gets(digest));
  assert.deepEqual(new Set(counts), new Set([1]), `copies of each layer: ${counts.join(' ')}`);
}
