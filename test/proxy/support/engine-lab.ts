/** Registries of every kind behind one real daemon, for engines to pull from. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { DockerRegistry, registryUser } from './docker-registry.ts';
import { localAddress } from './engines-fixture.ts';
import { makeImage, makeIndex, pushImage, type Image, type ImageIndex } from './images.ts';
import { startDaemon, type ProxiedDaemon } from './proxy-fixture.ts';

export const registryKinds = ['plain', 'tls', 'basic', 'token'] as const;
export type RegistryKind = (typeof registryKinds)[number];

export const credentials = `${registryUser.username}:${registryUser.password}`;

export function needsLogin(kind: RegistryKind): boolean {
  return kind === 'basic' || kind === 'token';
}

/** Every pull has a repository of its own: the registry's log then tells who fetched what. */
export class EngineLab implements AsyncDisposable {
  readonly directory: TemporaryDirectory;
  readonly daemon: ProxiedDaemon;
  readonly #registries: ReadonlyMap<RegistryKind, DockerRegistry>;
  readonly #owned: AsyncDisposableStack;

  /** The daemon trusts the TLS registry's private authority and intercepts that registry; nothing else is known to it. */
  static async start(): Promise<EngineLab> {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(await temporaryDirectory('df-engines-'));
    const { address } = owned.use(await localAddress());
    const registries = new Map<RegistryKind, DockerRegistry>();
    for (const kind of registryKinds) {
      const auth = kind === 'basic' || kind === 'token' ? kind : 'none';
      const options = { directory: directory.join(kind), address, tls: kind === 'tls', auth } as const;
      registries.set(kind, owned.use(await DockerRegistry.start(options)));
    }
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'; // only this process, which pushes the images
    const [plain, tls] = [registries.get('plain'), registries.get('tls')];
    assert.ok(plain && tls?.ca);
    const daemon = owned.use(
      await startDaemon({
        proxy: {
          connectPorts: ['1-65535'],
          registryMirror: { url: plain.url, certs: [tls.ca] },
          proxies: [{ regx: 'blobs/sha256.*' }],
          hijackHTTPS: { autoCert: true, hosts: [{ regx: tls.host, certs: [tls.ca] }] },
        },
      }),
    );
    return new EngineLab({ directory, daemon, registries, owned: owned.move() });
  }

  private constructor(parts: {
    directory: TemporaryDirectory;
    daemon: ProxiedDaemon;
    registries: ReadonlyMap<RegistryKind, DockerRegistry>;
    owned: AsyncDisposableStack;
  }) {
    this.directory = parts.directory;
    this.daemon = parts.daemon;
    this.#registries = parts.registries;
    this.#owned = parts.owned;
  }

  registry(kind: RegistryKind): DockerRegistry {
    const found = this.#registries.get(kind);
    assert.ok(found);
    return found;
  }

  /** What an engine needs to send everything through the proxy. */
  get proxyEnvironment(): Record<string, string> {
    return { HTTP_PROXY: this.daemon.url, HTTPS_PROXY: this.daemon.url };
  }

  reference(kind: RegistryKind, repository: string): string {
    return `${this.registry(kind).host}/${repository}:v1`;
  }

  async publish(kind: RegistryKind, repository: string): Promise<Image> {
    const image = makeImage({ layers: 3, layerBytes: 300_000 });
    await pushImage(this.registry(kind).url, repository, 'v1', image, this.registry(kind).request);
    return image;
  }

  /** Two platforms with twenty layers each. */
  async publishIndex(kind: RegistryKind, repository: string): Promise<ImageIndex> {
    const images = ['amd64', 'arm64'].map((architecture) => ({
      ...makeImage({ layers: 20, layerBytes: 20_000, architecture }),
      architecture,
    }));
    const index = makeIndex(images);
    await pushImage(this.registry(kind).url, repository, 'v1', index, this.registry(kind).request);
    return index;
  }

  /** One copy of every layer left the registry. */
  assertOneCopy(kind: RegistryKind, image: Image | ImageIndex): void {
    for (const { layers } of 'images' in image ? image.images : [image]) {
      for (const { digest } of layers) assert.equal(this.registry(kind).gets(digest), 1, digest);
    }
  }

  /** A containerd `certs.d` of its own, as documented for the daemon. */
  async hostsDirectory(kind: RegistryKind, name: string): Promise<string> {
    const { host, url } = this.registry(kind);
    const place = this.directory.join(`certs-${name}`, host);
    await mkdir(place, { recursive: true });
    const lines = [
      `server = "${url}"`,
      `[host."${this.daemon.url}"]`,
      '  capabilities = ["pull", "resolve"]',
      `  [host."${this.daemon.url}".header]`,
      `    X-Dragonfly-Registry = ["${url}"]`,
    ];
    await writeFile(join(place, 'hosts.toml'), lines.join('\n'));
    return this.directory.join(`certs-${name}`);
  }

  /** A directory that makes an engine trust the proxy's authority, and nothing else on this host does. */
  async authorityDirectory(name: string): Promise<string> {
    const place = this.directory.join(`trust-${name}`);
    await mkdir(place, { recursive: true });
    const authority = await readFile(join(this.daemon.service.config.workHome, 'proxy-ca', 'ca.crt'));
    await writeFile(join(place, 'ca.crt'), authority);
    return place;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}
