/** The images: one per program over the same two layers, each for both machines, with bill of materials and provenance. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { root } from '../bundle.ts';
import { output } from '../executable.ts';
import { releaseVersion, sourceDate } from '../release-facts.ts';
import { platforms, type Platform } from '../platforms.ts';
import { sbom } from '../sbom.ts';
import { baseSystem, nonRoot, type BaseSystem } from './base.ts';
import { ImageLayout, type Descriptor, type Layer } from './layout.ts';
import { tar, type TarEntry } from './tar.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';
const second = 1_000_000_000; // of a health check, in nanoseconds

interface Image {
  readonly name: string;
  readonly title: string;
  readonly entrypoint: readonly string[];
  readonly command?: readonly string[];
  readonly user: number;
  readonly ports: readonly number[];
  /** Whose health is asked for. */
  readonly healthPort?: number;
}

const program = '/usr/bin/dragonfly';

export const images: readonly Image[] = [
  {
    name: 'dragonfly',
    title: 'Dragonfly, all programs',
    entrypoint: [program],
    command: ['help'],
    user: nonRoot,
    ports: [],
  },
  {
    name: 'manager',
    title: 'Dragonfly manager',
    entrypoint: [program, 'manager'],
    user: nonRoot,
    ports: [8080, 65_003],
    healthPort: 65_003,
  },
  {
    name: 'scheduler',
    title: 'Dragonfly scheduler',
    entrypoint: [program, 'scheduler'],
    user: nonRoot,
    ports: [8002],
    healthPort: 8002,
  },
  // Its volumes are directories of the host, which belong to root; as another user it needs directories of that user.
  {
    name: 'dfdaemon',
    title: 'Dragonfly daemon, peer and seed peer',
    entrypoint: [program, 'dfdaemon'],
    user: 0,
    ports: [65_000, 65_001, 65_002],
    healthPort: 65_000,
  },
];

/** Where images of the original have their programs, and what their probes call. */
const links: Readonly<Record<string, string>> = {
  'usr/bin/dfget': 'dragonfly',
  'usr/bin/dfcache': 'dragonfly',
  'usr/bin/dfstore': 'dragonfly',
  'usr/bin/dfctl': 'dragonfly',
  'usr/bin/dfdaemon': 'dragonfly',
  'usr/bin/scheduler': 'dragonfly',
  'usr/bin/manager': 'dragonfly',
  'bin/grpc_health_probe': program,
  'opt/dragonfly/bin/dfget': program,
  'opt/dragonfly/bin/dfdaemon': program,
  'opt/dragonfly/bin/scheduler': program,
  'opt/dragonfly/bin/manager': program,
};

interface Built {
  readonly platform: Platform;
  readonly base: BaseSystem;
  readonly layers: readonly Layer[];
}

/**
 * Writes the layout `dist/image`, and an archive per machine that `docker load`, `podman load` and `ctr images import` read.
 * The executables have been built before. Resolves with the paths.
 */
export async function buildImages(wanted: readonly Platform[] = platforms): Promise<string[]> {
  const directory = join(output, 'image');
  const layout = await ImageLayout.create(directory);
  const built: Built[] = [];
  for (const platform of wanted) {
    const base = await baseSystem(platform);
    const layers = [
      await layout.layer(tar(base.entries, sourceDate())),
      await layout.layer(tar(programEntries(platform), sourceDate())),
    ];
    built.push({ platform, base, layers });
  }
  const version = await releaseVersion();
  const indexes: Descriptor[] = [];
  const referrers: Descriptor[] = [];
  const perMachine = new Map<Platform, { image: Image; manifest: Descriptor; config: Descriptor }[]>();
  for (const image of images) {
    const manifests: Descriptor[] = [];
    for (const one of built) {
      const { manifest, config } = await writeManifest(layout, image, one, version);
      manifests.push(manifest);
      referrers.push(...(await writeReferrers(layout, manifest, one, version)));
      perMachine.set(one.platform, [...(perMachine.get(one.platform) ?? []), { image, manifest, config }]);
    }
    const index = { schemaVersion: 2, mediaType: indexType, manifests, annotations: annotations(image, version) };
    const named = {
      'org.opencontainers.image.ref.name': `${image.name}-${version}`,
      'io.containerd.image.name': reference(image, version),
    };
    indexes.push({ ...(await layout.json(indexType, index)), annotations: named });
  }
  await layout.finish([...indexes, ...referrers]);
  const archives: string[] = [];
  for (const { platform, layers } of built)
    archives.push(await loadable(layout, platform, layers, perMachine.get(platform) ?? [], version));
  return [directory, ...archives];
}

export function reference({ name }: Pick<Image, 'name'>, version: string): string {
  return `docker.io/dragonflyoss/${name}:v${version}`;
}

function programEntries({ debian }: Platform): TarEntry[] {
  const executable = join(output, `dragonfly-linux-${debian}`);
  const directories = new Set([
    'usr',
    ...Object.keys(links).flatMap((path) => [dirname(path), dirname(dirname(path))]),
  ]);
  directories.delete('.');
  return [
    ...[...directories].map((path): TarEntry => ({ kind: 'directory', path, mode: 0o755 })),
    { kind: 'file', path: 'usr/bin/dragonfly', from: executable, mode: 0o755 },
    ...Object.entries(links).map(([path, target]): TarEntry => ({ kind: 'link', path, target, mode: 0o777 })),
  ];
}

function annotations({ title }: Image, version: string): Record<string, string> {
  const revision =
    process.env['DRAGONFLY_COMMIT'] ??
    execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  return {
    'org.opencontainers.image.created': created(),
    'org.opencontainers.image.licenses': 'Apache-2.0',
    'org.opencontainers.image.revision': revision,
    'org.opencontainers.image.source': 'https://github.com/dragonflyoss/dragonfly',
    'org.opencontainers.image.title': title,
    'org.opencontainers.image.url': 'https://d7y.io',
    'org.opencontainers.image.vendor': 'Dragonfly',
    'org.opencontainers.image.version': version,
  };
}

const created = (): string => new Date(sourceDate() * 1000).toISOString().replace('.000', '');

async function writeManifest(layout: ImageLayout, image: Image, { platform, layers }: Built, version: string) {
  const labels = annotations(image, version);
  const probe =
    image.healthPort === undefined
      ? undefined
      : ['CMD', '/bin/grpc_health_probe', `-addr=:${image.healthPort}`, '-connect-timeout=5s', '-rpc-timeout=5s'];
  const config = await layout.json('application/vnd.oci.image.config.v1+json', {
    created: created(),
    architecture: platform.debian,
    os: 'linux',
    config: {
      User: `${image.user}:${image.user}`,
      Env: ['PATH=/usr/bin:/bin:/opt/dragonfly/bin', 'SSL_CERT_DIR=/etc/ssl/certs'],
      Entrypoint: image.entrypoint,
      ...(image.command && { Cmd: image.command }),
      WorkingDir: '/',
      ...(image.ports.length > 0 && {
        ExposedPorts: Object.fromEntries(image.ports.map((port) => [`${port}/tcp`, {}])),
      }),
      Labels: labels,
      StopSignal: 'SIGTERM',
      ...(probe && {
        Healthcheck: { Test: probe, Interval: 10 * second, Timeout: 10 * second, StartPeriod: 30 * second, Retries: 3 },
      }),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: ['libraries of Debian', 'dragonfly'].map((comment) => ({
      created: created(),
      created_by: 'npm run build:image',
      comment,
    })),
  });
  const manifest = await layout.json(manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    config,
    layers: layers.map(({ descriptor }) => descriptor),
    annotations: labels,
  });
  return { config, manifest: { ...manifest, platform: { architecture: platform.debian, os: 'linux' } } };
}

/** Bill of materials and provenance as artifacts whose subject is the image. */
async function writeReferrers(
  layout: ImageLayout,
  subject: Descriptor,
  { platform, base }: Built,
  version: string,
): Promise<Descriptor[]> {
  const bill = await sbom(platform, base.packages);
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [
      {
        name: `dragonfly ${version} linux/${platform.debian}`,
        digest: { sha256: subject.digest.replace('sha256:', '') },
      },
    ],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'https://d7y.io/build/npm-run-release/v1',
        externalParameters: { command: 'npm run release', sourceDateEpoch: sourceDate() },
        resolvedDependencies: [
          {
            uri: 'git+https://github.com/dragonflyoss/dragonfly',
            digest: { gitCommit: annotations(images[0] as Image, version)['org.opencontainers.image.revision'] },
          },
          {
            uri: `pkg:npm/${platform.node.name}@${platform.node.version}`,
            digest: { sha512: Buffer.from(platform.node.integrity.slice(7), 'base64').toString('hex') },
          },
          ...base.packages.map(({ name, version: of }) => ({
            uri: `pkg:deb/debian/${name}@${of}?arch=${platform.debian}`,
          })),
        ],
      },
      runDetails: { builder: { id: 'https://d7y.io/build/npm-run-release' } },
    },
  };
  const { mediaType, digest, size } = subject;
  const attach = async (type: string, content: object): Promise<Descriptor> => {
    const empty = await layout.json('application/vnd.oci.empty.v1+json', {});
    const manifest = await layout.json(manifestType, {
      schemaVersion: 2,
      mediaType: manifestType,
      artifactType: type,
      config: empty,
      layers: [await layout.json(type, content)],
      subject: { mediaType, digest, size },
      annotations: { 'org.opencontainers.image.created': created() },
    });
    return { ...manifest, artifactType: type };
  };
  return [await attach('application/spdx+json', bill), await attach('application/vnd.in-toto+json', statement)];
}

/** The old form of `docker save` and the OCI layout in one archive. */
async function loadable(
  layout: ImageLayout,
  { debian }: Platform,
  layers: readonly Layer[],
  of: readonly { readonly image: Image; readonly manifest: Descriptor; readonly config: Descriptor }[],
  version: string,
): Promise<string> {
  const blobPath = ({ digest }: Descriptor): string => `blobs/${digest.replace(':', '/')}`;
  const index = {
    schemaVersion: 2,
    mediaType: indexType,
    manifests: of.map(({ image, manifest }) => ({
      ...manifest,
      annotations: {
        'org.opencontainers.image.ref.name': `v${version}`,
        'io.containerd.image.name': reference(image, version),
      },
    })),
  };
  const old = of.map(({ image, config }) => ({
    Config: blobPath(config),
    RepoTags: [reference(image, version)],
    Layers: layers.map(({ descriptor }) => blobPath(descriptor)),
  }));
  const blobs = [
    ...layers.map(({ descriptor }) => descriptor),
    ...of.flatMap(({ manifest, config }) => [manifest, config]),
  ];
  const folders = ['blobs', 'blobs/sha256'].map((path): TarEntry => ({ kind: 'directory', path, mode: 0o755 }));
  const text = (path: string, value: unknown): TarEntry => ({
    kind: 'text',
    path,
    text: JSON.stringify(value),
    mode: 0o644,
  });
  const entries: TarEntry[] = [
    ...folders,
    ...blobs.map((blob): TarEntry => ({ kind: 'file', path: blobPath(blob), from: layout.path(blob), mode: 0o644 })),
    text('index.json', index),
    text('manifest.json', old),
    text('oci-layout', { imageLayoutVersion: '1.0.0' }),
  ];
  const file = join(output, `dragonfly-image-${version}-linux-${debian}.tar`);
  await writeFile(file, tar(entries, sourceDate()));
  return file;
}
