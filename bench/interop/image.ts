/** An image as a registry without credentials serves it: files below the origin's document root. */
import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeRandomFile } from '../../test/support/random-file.ts';
import type { NginxOrigin } from '../../test/support/nginx-origin.ts';
import type { OriginFile } from './mixed-cluster.ts';

export interface OriginImage {
  /** Of its manifest, by tag. */
  readonly url: string;
  /** Its configuration and layers. */
  readonly blobs: readonly OriginFile[];
}

const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
};

export async function pushImage(
  origin: NginxOrigin,
  name: string,
  layerBytes: readonly number[],
): Promise<OriginImage> {
  const directory = join(origin.root, 'v2', name);
  for (const kind of ['blobs', 'manifests']) await mkdir(join(directory, kind), { recursive: true });
  const blob = (sha256: string, sizeBytes: number): OriginFile => {
    const urlPath = `/v2/${name}/blobs/sha256:${sha256}`;
    return { url: `${origin.url}${urlPath}`, urlPath, sizeBytes, sha256 };
  };
  const layers: OriginFile[] = [];
  for (const sizeBytes of layerBytes) {
    const made = await makeRandomFile(join(directory, `layer-${layers.length}`), sizeBytes);
    await rename(made.path, join(directory, 'blobs', `sha256:${made.sha256}`));
    layers.push(blob(made.sha256, sizeBytes));
  }
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', history: [{ comment: name }] }));
  const configBlob = blob(createHash('sha256').update(config).digest('hex'), config.length);
  await writeFile(join(origin.root, configBlob.urlPath), config);
  const descriptor = (mediaType: string, { sha256, sizeBytes }: OriginFile) => ({
    mediaType,
    digest: `sha256:${sha256}`,
    size: sizeBytes,
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(types.config, configBlob),
    layers: layers.map((layer) => descriptor(types.layer, layer)),
  });
  const digest = createHash('sha256').update(manifest).digest('hex');
  for (const reference of ['latest', `sha256:${digest}`])
    await writeFile(join(directory, 'manifests', reference), manifest);
  return { url: `${origin.url}/v2/${name}/manifests/latest`, blobs: [configBlob, ...layers] };
}
