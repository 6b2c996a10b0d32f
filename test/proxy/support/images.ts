/** Container images of random content, built and pushed here, so that a registry test needs no image from elsewhere. */
import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';

export interface ImageBlob {
  readonly digest: string;
  readonly content: Buffer;
}

export interface Image {
  readonly manifest: ImageBlob & { readonly mediaType: string };
  readonly config: ImageBlob;
  readonly layers: readonly ImageBlob[];
}

export interface ImageIndex {
  readonly index: ImageBlob & { readonly mediaType: string };
  readonly images: readonly Image[];
}

type Send = (url: string | URL, init: RequestInit) => Promise<Response>;

const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const ociIndex = 'application/vnd.oci.image.index.v1+json';
const ociConfig = 'application/vnd.oci.image.config.v1+json';
const ociLayer = 'application/vnd.oci.image.layer.v1.tar+gzip';

export function makeImage(options: { layers: number; layerBytes: number; architecture?: string }): Image {
  const { layers: count, layerBytes, architecture = 'amd64' } = options;
  const tars = Array.from({ length: count }, (_, index) => tarOf(`data/layer-${index}`, randomBytes(layerBytes)));
  const layers = tars.map((tar) => blob(gzipSync(tar, { level: 1 })));
  const config = json({
    architecture,
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => sha256(tar)) },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptor(config, ociConfig),
    layers: layers.map((layer) => descriptor(layer, ociLayer)),
  });
  return { manifest: { ...manifest, mediaType: ociManifest }, config, layers };
}

export function makeIndex(images: readonly (Image & { readonly architecture: string })[]): ImageIndex {
  const index = json({
    schemaVersion: 2,
    mediaType: ociIndex,
    manifests: images.map(({ manifest, architecture }) => ({
      ...descriptor(manifest, ociManifest),
      platform: { os: 'linux', architecture },
    })),
  });
  return { index: { ...index, mediaType: ociIndex }, images };
}

/** Pushes by the registry's own protocol. `request` sends with whatever credentials the registry wants. */
export async function pushImage(
  registry: string,
  repository: string,
  tag: string,
  image: Image | ImageIndex,
  request: Send = fetch,
): Promise<void> {
  const images = 'images' in image ? image.images : [image];
  for (const { config, layers, manifest } of images) {
    for (const item of [config, ...layers]) await pushBlob(registry, repository, item, request);
    await putManifest(registry, repository, manifest.digest, manifest, request);
  }
  await putManifest(registry, repository, tag, 'index' in image ? image.index : image.manifest, request);
}

async function pushBlob(
  registry: string,
  repository: string,
  { digest, content }: ImageBlob,
  request: Send,
): Promise<void> {
  const started = await request(`${registry}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(started.headers.get('location') ?? '', registry);
  location.searchParams.set('digest', digest);
  await expectCreated(
    await request(location, {
      method: 'PUT',
      body: new Uint8Array(content),
      headers: { 'content-type': 'application/octet-stream' },
    }),
  );
}

async function putManifest(
  registry: string,
  repository: string,
  reference: string,
  manifest: ImageBlob & { mediaType: string },
  request: Send,
): Promise<void> {
  const headers = { 'content-type': manifest.mediaType };
  await expectCreated(
    await request(`${registry}/v2/${repository}/manifests/${reference}`, {
      method: 'PUT',
      body: new Uint8Array(manifest.content),
      headers,
    }),
  );
}

async function expectCreated(response: Response): Promise<void> {
  if (response.status !== 201) throw new Error(`the registry answered ${response.status}: ${await response.text()}`);
}

function descriptor({ digest, content }: ImageBlob, mediaType: string): object {
  return { mediaType, digest, size: content.length };
}

function json(value: unknown): ImageBlob {
  return blob(Buffer.from(JSON.stringify(value)));
}

function blob(content: Buffer): ImageBlob {
  return { digest: sha256(content), content };
}

function sha256(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** A tar archive with one regular file (POSIX ustar). */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number): string => value.toString(8).padStart(width - 1, '0') + '\0';
  header.write(name, 0);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(content.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(octal(sum, 7) + ' ', 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
