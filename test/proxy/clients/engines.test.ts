// needs: docker-registry, containerd, ctr, dockerd, docker, ip
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { credentials, EngineLab, needsLogin, registryKinds } from '../support/engine-lab.ts';
import { run, startContainerd, startDocker, type Engine } from '../support/engines-fixture.ts';
import type { Image, ImageIndex } from '../support/images.ts';

describe('container engines pull through the proxy', () => {
  let lab: EngineLab;
  let containerd: Engine;
  before(async () => {
    lab = await EngineLab.start();
    containerd = await startContainerd(lab.directory.join('containerd'));
  });
  after(async () => {
    await containerd[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
  });

  /** containerd verifies what it takes in; that the image is there by its own digest says that all of it was right. */
  async function ctrPull(
    { reference, hosts }: { reference: string; hosts: string },
    image: Image | ImageIndex,
    ...more: string[]
  ): Promise<void> {
    const ctr = (...args: string[]) => run('ctr', ['-a', containerd.socket, 'images', ...args]);
    await ctr('pull', '--snapshotter', 'native', '--hosts-dir', hosts, ...more, reference);
    const digest = 'index' in image ? image.index.digest : image.manifest.digest;
    assert.ok((await ctr('ls', `name==${reference}`)).includes(digest));
  }

  for (const kind of registryKinds) {
    test(`containerd by hosts.toml, ${kind} registry`, async () => {
      const repository = `containerd/${kind}`;
      const image = await lab.publish(kind, repository);
      const login = needsLogin(kind) ? ['--user', credentials] : [];
      const hosts = await lab.hostsDirectory(kind, `containerd-${kind}`);
      await ctrPull({ reference: lab.reference(kind, repository), hosts }, image, ...login);
      lab.assertOneCopy(kind, image);
    });
  }

  test('containerd: twenty layers, all platforms of an index', async () => {
    const index = await lab.publishIndex('plain', 'containerd/index');
    const hosts = await lab.hostsDirectory('plain', 'containerd-index');
    await ctrPull({ reference: lab.reference('plain', 'containerd/index'), hosts }, index, '--all-platforms');
    lab.assertOneCopy('plain', index);
  });

  test('F5: containerd goes on to the registry when its mirror is gone', async () => {
    const image = await lab.publish('plain', 'containerd/gone');
    const place = lab.directory.join('certs-gone', lab.registry('plain').host);
    await mkdir(place, { recursive: true });
    const gone = '[host."http://127.0.0.1:9"]\n  capabilities = ["pull", "resolve"]\n';
    await writeFile(join(place, 'hosts.toml'), `server = "${lab.registry('plain').url}"\n${gone}`);
    const reference = lab.reference('plain', 'containerd/gone');
    await ctrPull({ reference, hosts: lab.directory.join('certs-gone') }, image);
    lab.assertOneCopy('plain', image);
  });

  /** `docker` of one dockerd, with the logins of the registries that want one. */
  async function dockerOf(
    name: string,
    env: Record<string, string>,
  ): Promise<{ engine: Engine; docker: (...args: string[]) => Promise<string> }> {
    const hosts = registryKinds.map((kind) => lab.registry(kind).host);
    const engine = await startDocker(lab.directory.join(name), {
      containerd,
      config: { 'insecure-registries': hosts, 'registry-mirrors': [env['HTTP_PROXY'] ?? lab.daemon.url] },
      env,
    });
    const auth = Buffer.from(credentials).toString('base64');
    const logins = registryKinds.filter(needsLogin).map((kind) => [lab.registry(kind).host, { auth }]);
    const configuration = lab.directory.join(`${name}-client`);
    await mkdir(configuration, { recursive: true });
    await writeFile(join(configuration, 'config.json'), JSON.stringify({ auths: Object.fromEntries(logins) }));
    const docker = (...args: string[]) =>
      run('docker', ['--config', configuration, '-H', `unix://${engine.socket}`, ...args]);
    return { engine, docker };
  }

  describe('dockerd with HTTP_PROXY and HTTPS_PROXY', () => {
    let docker: (...args: string[]) => Promise<string>;
    let engine: Engine;
    before(async () => {
      ({ engine, docker } = await dockerOf('docker', lab.proxyEnvironment));
    });
    after(() => engine[Symbol.asyncDispose]());

    for (const kind of registryKinds) {
      test(`${kind} registry${kind === 'tls' ? ', intercepted' : ''}`, async () => {
        const image = await lab.publish(kind, `docker/${kind}`);
        const said = await docker('pull', lab.reference(kind, `docker/${kind}`));
        assert.ok(said.includes(image.manifest.digest), said);
        lab.assertOneCopy(kind, image);
      });
    }

    test('twenty layers of this platform out of an index', async () => {
      const index = await lab.publishIndex('token', 'docker/index');
      const said = await docker('pull', '--platform', 'linux/amd64', lab.reference('token', 'docker/index'));
      assert.ok(said.includes(index.index.digest), said);
      const [amd64] = index.images;
      assert.ok(amd64);
      lab.assertOneCopy('token', amd64);
    });
  });

  test('dockerd with the proxy as its registry mirror', async () => {
    const image = await lab.publish('plain', 'library/docker-hub-image');
    const { engine, docker } = await dockerOf('docker-mirror', {});
    await using _engine = engine;
    const said = await docker('pull', 'docker-hub-image:v1');
    assert.ok(said.includes(image.manifest.digest), said);
    lab.assertOneCopy('plain', image);
  });

  test('F5: dockerd whose proxy is gone does not pull at all', async () => {
    await lab.publish('plain', 'docker/gone');
    const gone = 'http://127.0.0.1:9';
    const { engine, docker } = await dockerOf('docker-gone', { HTTP_PROXY: gone, HTTPS_PROXY: gone });
    await using _engine = engine;
    await assert.rejects(docker('pull', lab.reference('plain', 'docker/gone')), /proxyconnect|refused/);
  });
});
