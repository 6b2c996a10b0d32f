// needs: docker-registry, skopeo, podman, buildah, ip
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { credentials, EngineLab, needsLogin, registryKinds, type RegistryKind } from '../support/engine-lab.ts';
import { run } from '../support/engines-fixture.ts';
import type { Image, ImageIndex } from '../support/images.ts';

interface Pull {
  readonly reference: string;
  /** Unused name of a directory for what is pulled. */
  readonly place: string;
  /** Options that every tool has under the name given, behind this prefix. */
  readonly options: { readonly login: boolean; readonly trust: string | undefined };
  readonly architectures: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
}

interface Tool {
  readonly pull: (pull: Pull) => Promise<void>;
  /** Every byte that was asked for has arrived and is what its digest says. */
  readonly check: (place: string, image: Image | ImageIndex, reference: string) => Promise<void>;
}

function access({ login, trust }: Pull['options'], prefix = ''): string[] {
  return [
    ...(login ? [`--${prefix}creds`, credentials] : []),
    ...(trust === undefined ? [`--${prefix}tls-verify=false`] : [`--${prefix}cert-dir`, trust]),
  ];
}

const skopeo: Tool = {
  pull: async ({ reference, place, options, architectures, env }) => {
    const { CONTAINERS_REGISTRIES_CONF: configuration, ...rest } = env; // this version has an option for it only
    const all = architectures ? ['--all'] : [];
    const named = configuration === undefined ? [] : ['--registries-conf', configuration];
    const args = [...named, 'copy', ...all, ...access(options, 'src-'), `docker://${reference}`, `oci:${place}:v1`];
    await run('skopeo', args, { env: rest });
  },
  check: async (place, image) => {
    const blobs = join(place, 'blobs', 'sha256');
    const names = await readdir(blobs);
    for (const name of names) {
      const content = await readFile(join(blobs, name));
      assert.equal(createHash('sha256').update(content).digest('hex'), name);
    }
    for (const { layers } of 'images' in image ? image.images : [image])
      for (const { digest } of layers) assert.ok(names.includes(digest.slice(7)), digest);
  },
};

/** podman and buildah keep images in the same kind of storage, which verifies what it takes in. */
function containersTool(program: 'podman' | 'buildah'): Tool {
  const storage = (place: string) => ['--root', place, '--runroot', `${place}-run`, '--storage-driver', 'vfs'];
  return {
    pull: async ({ reference, place, options, architectures = [undefined], env }) => {
      for (const architecture of architectures) {
        const platform = architecture === undefined ? [] : ['--arch', architecture];
        await run(program, [...storage(place), 'pull', ...platform, ...access(options), reference], { env });
      }
    },
    check: async (place, image, reference) => {
      const text = await run(program, [...storage(place), 'images', '--no-trunc', '--digests', '--format', '{{.ID}}']);
      const ids = text.split('\n').map((line) => line.replace(/^sha256:/, '').trim());
      for (const { config } of 'images' in image ? image.images : [image])
        assert.ok(ids.includes(config.digest.slice(7)), `${reference} is not among ${text}`);
    },
  };
}

const tools: Readonly<Record<string, Tool>> = {
  skopeo,
  podman: containersTool('podman'),
  buildah: containersTool('buildah'),
};

describe('tools of container images pull through the proxy', () => {
  let lab: EngineLab;
  before(async () => {
    lab = await EngineLab.start();
  });
  after(() => lab[Symbol.asyncDispose]());

  const place = (name: string): string => lab.directory.join(name.replace('/', '-'));
  const optionsFor = async (kind: RegistryKind, name: string): Promise<Pull['options']> => ({
    login: needsLogin(kind),
    trust: kind === 'tls' ? await lab.authorityDirectory(name.replace('/', '-')) : undefined,
  });

  for (const [name, tool] of Object.entries(tools)) {
    for (const kind of registryKinds) {
      const how = kind === 'tls' ? 'HTTPS_PROXY, intercepted; only its own directory trusts us' : 'HTTP_PROXY';
      test(`${name}, ${kind} registry, by ${how}`, async () => {
        const repository = `${name}/${kind}`;
        const [image, reference] = [await lab.publish(kind, repository), lab.reference(kind, repository)];
        const options = await optionsFor(kind, repository);
        for (const round of ['first', 'again']) {
          const target = place(`${repository}-${round}`);
          await tool.pull({ reference, place: target, options, architectures: undefined, env: lab.proxyEnvironment });
          await tool.check(target, image, reference);
        }
        lab.assertOneCopy(kind, image);
      });
    }

    test(`${name}, all platforms of an index, twenty layers each`, async () => {
      const repository = `${name}/index`;
      const [index, reference] = [await lab.publishIndex('plain', repository), lab.reference('plain', repository)];
      await tool.pull({
        reference,
        place: place(repository),
        options: await optionsFor('plain', repository),
        architectures: ['amd64', 'arm64'],
        env: lab.proxyEnvironment,
      });
      await tool.check(place(repository), index, reference);
      lab.assertOneCopy('plain', index);
    });

    test(`${name}, by a mirror in registries.conf`, async () => {
      const repository = `${name}/mirror`;
      const [image, reference] = [await lab.publish('plain', repository), lab.reference('plain', repository)];
      const configuration = lab.directory.join(`${name}.conf`);
      const location = `location = "${lab.registry('plain').host}"\ninsecure = true`;
      const mirror = `location = "127.0.0.1:${lab.daemon.port}"\ninsecure = true`;
      await writeFile(configuration, `[[registry]]\n${location}\n[[registry.mirror]]\n${mirror}\n`);
      await tool.pull({
        reference,
        place: place(repository),
        options: await optionsFor('plain', repository),
        architectures: undefined,
        env: { CONTAINERS_REGISTRIES_CONF: configuration },
      });
      await tool.check(place(repository), image, reference);
      lab.assertOneCopy('plain', image);
      assert.match(
        await lab.daemon.service.registry.getSingleMetricAsString(
          'dragonfly_dfdaemon_proxy_request_via_dragonfly_total',
        ),
        /_total [1-9]/,
      );
    });
  }
});
