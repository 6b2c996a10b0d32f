// needs: docker-registry, skopeo, podman, buildah, containerd, ctr, dockerd, docker, ip
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { DockerRegistry, registryUser } from './docker-registry.ts';
import { localAddress, run, startContainerd, startDocker, type Engine, type LocalAddress } from './engines-fixture.ts';
import { makeImage, makeIndex, pushImage, type Image } from './images.ts';
import { startDaemon, type ProxiedDaemon } from './proxy-fixture.ts';

const credentials = `${registryUser.username}:${registryUser.password}`;

/** Every engine has a repository of its own: the registry's log then tells who fetched what. */
describe('container engines pull through the proxy', () => {
  let directory: TemporaryDirectory;
  let local: LocalAddress;
  let daemon: ProxiedDaemon;
  const registries: Partial<Record<'plain' | 'tls' | 'basic' | 'token', DockerRegistry>> = {};
  let containerd: Engine;
  const registry = (kind: keyof typeof registries): DockerRegistry => {
    const found = registries[kind];
    assert.ok(found);
    return found;
  };
  const publish = async (kind: keyof typeof registries, repository: string, layers = 3): Promise<Image> => {
    const image = makeImage({ layers, layerBytes: 300_000 });
    await pushImage(registry(kind).url, repository, 'v1', image, registry(kind).request);
    return image;
  };
  /** One copy of every layer left the registry. */
  const assertOneCopy = (kind: keyof typeof registries, image: Image): void => {
    for (const { digest } of image.layers) assert.equal(registry(kind).gets(digest), 1, digest);
  };

  before(async () => {
    directory = await temporaryDirectory('df-engines-');
    local = await localAddress();
    for (const kind of ['plain', 'tls', 'basic', 'token'] as const) {
      const auth = kind === 'basic' || kind === 'token' ? kind : 'none';
      registries[kind] = await DockerRegistry.start({
        directory: directory.join(kind),
        address: local.address,
        tls: kind === 'tls',
        auth,
      });
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'; // only this process, which pushes the images
    }
    const { host, ca = '' } = registry('tls');
    daemon = await startDaemon({
      proxy: {
        connectPorts: ['1-65535'],
        registryMirror: { url: registry('plain').url, certs: [ca] },
        proxies: [{ regx: 'blobs/sha256.*' }],
        hijackHTTPS: { autoCert: true, hosts: [{ regx: host, certs: [ca] }] },
      },
    });
    containerd = await startContainerd(directory.join('containerd'));
  });
  after(async () => {
    await containerd[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
    for (const each of Object.values(registries)) await each[Symbol.asyncDispose]();
    await local[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  async function hostsDirectory(kind: keyof typeof registries, name: string): Promise<string> {
    const { host, url } = registry(kind);
    const place = directory.join(`certs-${name}`, host);
    await mkdir(place, { recursive: true });
    const lines = [
      `server = "${url}"`,
      `[host."${daemon.url}"]`,
      '  capabilities = ["pull", "resolve"]',
      `  [host."${daemon.url}".header]`,
      `    X-Dragonfly-Registry = ["${url}"]`,
    ];
    await writeFile(join(place, 'hosts.toml'), lines.join('\n'));
    return directory.join(`certs-${name}`);
  }

  async function ctrPull(kind: keyof typeof registries, repository: string, ...more: string[]): Promise<void> {
    const hosts = await hostsDirectory(kind, repository.replace('/', '-'));
    const reference = `${registry(kind).host}/${repository}:v1`;
    await run('ctr', [
      '-a',
      containerd.socket,
      'images',
      'pull',
      '--snapshotter',
      'native',
      '--hosts-dir',
      hosts,
      ...more,
      reference,
    ]);
    const listed = await run('ctr', ['-a', containerd.socket, 'images', 'ls', `name==${reference}`]);
    assert.match(listed, /sha256:/);
  }

  test('containerd by hosts.toml, plain', async () => {
    const image = await publish('plain', 'containerd/plain');
    await ctrPull('plain', 'containerd/plain');
    assertOneCopy('plain', image);
  });

  test('containerd by hosts.toml, TLS of a private authority', async () => {
    const image = await publish('tls', 'containerd/tls');
    await ctrPull('tls', 'containerd/tls');
    assertOneCopy('tls', image);
  });

  for (const kind of ['basic', 'token'] as const) {
    test(`containerd by hosts.toml, ${kind} authentication`, async () => {
      const image = await publish(kind, `containerd/${kind}`);
      await ctrPull(kind, `containerd/${kind}`, '--user', credentials);
      assertOneCopy(kind, image);
    });
  }

  test('containerd: twenty layers, all platforms of an index', async () => {
    const images = ['amd64', 'arm64'].map((architecture) => ({
      ...makeImage({ layers: 20, layerBytes: 20_000, architecture }),
      architecture,
    }));
    await pushImage(registry('plain').url, 'containerd/index', 'v1', makeIndex(images));
    await ctrPull('plain', 'containerd/index', '--all-platforms');
    for (const image of images) assertOneCopy('plain', image);
  });

  test('containerd goes on to the registry when the proxy is gone (F5)', async () => {
    const image = await publish('plain', 'containerd/gone');
    const place = directory.join('certs-gone', registry('plain').host);
    await mkdir(place, { recursive: true });
    await writeFile(
      join(place, 'hosts.toml'),
      `server = "${registry('plain').url}"\n[host."http://127.0.0.1:9"]\n  capabilities = ["pull", "resolve"]\n`,
    );
    const reference = `${registry('plain').host}/containerd/gone:v1`;
    await run('ctr', [
      '-a',
      containerd.socket,
      'images',
      'pull',
      '--snapshotter',
      'native',
      '--hosts-dir',
      directory.join('certs-gone'),
      reference,
    ]);
    assertOneCopy('plain', image);
  });

  /** Every blob below the directory has the digest it is named by, and all of the image are there. */
  async function assertComplete(place: string, image: Image): Promise<void> {
    const blobs = join(place, 'blobs', 'sha256');
    const names = await readdir(blobs);
    for (const name of names)
      assert.equal(
        createHash('sha256')
          .update(await readFile(join(blobs, name)))
          .digest('hex'),
        name,
      );
    for (const { digest } of image.layers) assert.ok(names.includes(digest.slice(7)));
  }

  const mirrorConfig = async (name: string): Promise<string> => {
    const file = directory.join(`${name}.conf`);
    const { host } = registry('plain');
    await writeFile(
      file,
      `[[registry]]\nlocation = "${host}"\ninsecure = true\n[[registry.mirror]]\nlocation = "127.0.0.1:${daemon.port}"\ninsecure = true\n`,
    );
    return file;
  };

  test('skopeo by a mirror', async () => {
    const image = await publish('plain', 'skopeo/mirror');
    const target = directory.join('skopeo-mirror');
    await run('skopeo', [
      '--registries-conf',
      await mirrorConfig('skopeo'),
      'copy',
      `docker://${registry('plain').host}/skopeo/mirror:v1`,
      `oci:${target}:v1`,
    ]);
    await assertComplete(target, image);
    assertOneCopy('plain', image);
  });

  for (const kind of ['plain', 'basic', 'token'] as const) {
    test(`skopeo by HTTP_PROXY, ${kind}`, async () => {
      const image = await publish(kind, `skopeo/proxy-${kind}`);
      const target = directory.join(`skopeo-proxy-${kind}`);
      const login = kind === 'plain' ? [] : ['--src-creds', credentials];
      await run(
        'skopeo',
        [
          'copy',
          '--src-tls-verify=false',
          ...login,
          `docker://${registry(kind).host}/skopeo/proxy-${kind}:v1`,
          `oci:${target}:v1`,
        ],
        {
          env: { HTTP_PROXY: daemon.url },
        },
      );
      await assertComplete(target, image);
      assertOneCopy(kind, image);
    });
  }

  test('skopeo by HTTPS_PROXY with interception: it trusts our authority in its own directory only', async () => {
    const image = await publish('tls', 'skopeo/intercepted');
    const certs = directory.join('skopeo-certs');
    await mkdir(certs);
    await writeFile(join(certs, 'ca.crt'), await readFile(join(daemon.service.config.workHome, 'proxy-ca', 'ca.crt')));
    const target = directory.join('skopeo-tls');
    const pull = (where: string) =>
      run(
        'skopeo',
        ['copy', '--src-cert-dir', certs, `docker://${registry('tls').host}/skopeo/intercepted:v1`, `oci:${where}:v1`],
        { env: { HTTPS_PROXY: daemon.url } },
      );
    await pull(target);
    await pull(`${target}-again`);
    await assertComplete(target, image);
    assertOneCopy('tls', image);
  });

  for (const program of ['podman', 'buildah'] as const) {
    const storage = () => [
      '--root',
      directory.join(`${program}-root`),
      '--runroot',
      directory.join(`${program}-run`),
      '--storage-driver',
      'vfs',
    ];
    test(`${program} by a mirror`, async () => {
      const image = await publish('plain', `${program}/mirror`);
      await run(program, [...storage(), 'pull', `${registry('plain').host}/${program}/mirror:v1`], {
        env: { CONTAINERS_REGISTRIES_CONF: await mirrorConfig(program) },
      });
      assertOneCopy('plain', image);
    });
    test(`${program} by HTTP_PROXY`, async () => {
      const image = await publish('plain', `${program}/proxy`);
      await run(
        program,
        [...storage(), 'pull', '--tls-verify=false', `${registry('plain').host}/${program}/proxy:v1`],
        { env: { HTTP_PROXY: daemon.url } },
      );
      assertOneCopy('plain', image);
    });
  }

  test('dockerd by HTTP_PROXY, by HTTPS_PROXY with interception, and as its registry mirror', async () => {
    const plain = await publish('plain', 'docker/plain');
    const tls = await publish('tls', 'docker/tls');
    const hub = await publish('plain', 'library/docker-hub-image');
    const hosts = [registry('plain').host, registry('tls').host];
    await using docker = await startDocker(directory.join('docker'), {
      containerd,
      config: { 'insecure-registries': hosts, 'registry-mirrors': [daemon.url] },
      env: { HTTP_PROXY: daemon.url, HTTPS_PROXY: daemon.url },
    });
    const pull = (reference: string) => run('docker', ['-H', `unix://${docker.socket}`, 'pull', reference]);
    await pull(`${hosts[0]}/docker/plain:v1`);
    await pull(`${hosts[1]}/docker/tls:v1`);
    await pull('docker-hub-image:v1');
    assertOneCopy('plain', plain);
    assertOneCopy('tls', tls);
    assertOneCopy('plain', hub);
  });
});
