/** What a preheat is for: the registry is gone, and real engines pull the image through any node. */
// needs: docker-registry, skopeo, containerd, ctr, ip
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { programExists } from '../../scripts/debian-packages.ts';
import { DockerRegistry, registryUser } from '../proxy/support/docker-registry.ts';
import { localAddress, run, startContainerd, type Engine } from '../proxy/support/engines-fixture.ts';
import { makeImage, makeIndex, pushImage, type ImageIndex } from '../proxy/support/images.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { databaseConfig, eventually } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';

const missing = ['docker-registry', 'skopeo', 'containerd', 'ctr', 'ip'].find((program) => !programExists(program));
const repository = 'team/app';

interface Job {
  readonly id: number;
  readonly state: string;
  readonly result: { readonly job_states: readonly { readonly error: string }[] } | null;
  readonly progress: { readonly nodes: readonly { readonly host_name: string }[] };
}

test(
  'G7 a multi-arch image of a registry with tokens is preheated, the registry stops, skopeo and containerd pull through any node',
  { skip: missing === undefined ? false : `${missing} is not installed` },
  async () => {
    await using owned = new AsyncDisposableStack();
    const { address } = owned.use(await localAddress());
    const swarm = owned.use(await LocalSwarm.create());
    const { directory } = swarm;
    const registry = owned.use(
      await DockerRegistry.start({ directory: directory.join('registry'), address, auth: 'token' }),
    );
    const images = ['amd64', 'arm64'].map((architecture) => ({
      ...makeImage({ layers: 4, layerBytes: 1_500_000, architecture }),
      architecture,
    }));
    const index = makeIndex(images);
    await pushImage(registry.url, repository, 'v1', index, registry.request);
    const manager = owned.use(
      await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {
        job: { preheat: { allowCIDRs: [`${address}/32`] } },
      }),
    );
    await swarm.startScheduler(0, `{addr: "127.0.0.1:${manager.grpcPort}", keepAlive: {interval: 500ms}}`);
    const start = (name: string, seed = false): Promise<Daemon> =>
      swarm.startDaemon(name, {
        seed,
        adjust: (config) => ({
          ...config,
          proxy: {
            ...config.proxy,
            registryMirror: { ...config.proxy.registryMirror, addr: registry.url },
            // Nobody can prove his right to an absent registry; this operator lets every client have the content.
            access: { ...config.proxy.access, whenOriginDown: 'allow' },
          },
        }),
      });
    const nodes = [await start('seed-1', true), await start('peer-1')];

    const root = await rootOf(manager);
    const { id } = await root.ok<Job>('POST', '/api/v1/jobs', {
      type: 'preheat',
      args: {
        type: 'image',
        url: `${registry.url}/v2/${repository}/manifests/v1`,
        platform: 'linux/amd64',
        ...registryUser,
      },
    });
    const job = await eventually(async () => {
      const found = await root.ok<Job>('GET', `/api/v1/jobs/${id}`);
      assert.notEqual(found.state, 'PENDING');
      return found;
    }, 60_000);
    assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
    assert.deepEqual(
      job.progress.nodes.map((node) => node.host_name),
      ['seed-1'],
    );

    await registry.stop();
    nodes.push(await start('late'));
    const containerd = owned.use(await startContainerd(directory.join('containerd')));
    for (const node of nodes) {
      await skopeoPull(node, registry, directory.join(`skopeo-${node.name}`), index);
      await containerdPull(node, registry, { containerd, certs: directory.join(`certs-${node.name}`), index });
    }
  },
);

function proxyOf(node: Daemon): string {
  return node.service.addresses['proxy'] ?? '';
}

/** skopeo checks every blob it copies; the layers of the platform must all be there. */
async function skopeoPull(node: Daemon, { host }: DockerRegistry, place: string, index: ImageIndex): Promise<void> {
  const mirror = `${proxyOf(node)}/dragonfly.via.http/${host.replace(':', '_')}`;
  const platform = ['--override-os', 'linux', '--override-arch', 'amd64'];
  const source = `docker://${mirror}/${repository}:v1`;
  await run('skopeo', [...platform, 'copy', '--src-tls-verify=false', source, `oci:${place}:v1`]);
  const blobs = join(place, 'blobs', 'sha256');
  const names = await readdir(blobs);
  for (const { digest } of index.images[0]?.layers ?? []) {
    const content = await readFile(join(blobs, digest.slice('sha256:'.length)));
    assert.equal(`sha256:${createHash('sha256').update(content).digest('hex')}`, digest);
  }
  assert.ok(names.length >= 6, 'four layers, configuration, manifest');
}

/** An image in containerd's store has passed its digests. */
async function containerdPull(
  node: Daemon,
  { host, url }: DockerRegistry,
  { containerd, certs, index }: { containerd: Engine; certs: string; index: ImageIndex },
): Promise<void> {
  const place = join(certs, host);
  await mkdir(place, { recursive: true });
  const lines = [
    `server = "${url}"`,
    `[host."http://${proxyOf(node)}"]`,
    '  capabilities = ["pull", "resolve"]',
    `  [host."http://${proxyOf(node)}".header]`,
    `    X-Dragonfly-Registry = ["${url}"]`,
  ];
  await writeFile(join(place, 'hosts.toml'), lines.join('\n'));
  const reference = `${host}/${repository}:v1`;
  const ctr = (...args: string[]): Promise<string> => run('ctr', ['-a', containerd.socket, ...args]);
  await ctr('images', 'pull', '--snapshotter', 'native', '--platform', 'linux/amd64', '--hosts-dir', certs, reference);
  assert.ok((await ctr('images', 'ls', `name==${reference}`)).includes(index.index.digest));
  // The next node has to deliver all of it again.
  await ctr('images', 'rm', '--sync', reference);
}
