/** An image as a node of one platform pulls it: which manifests, which blobs, and with which headers. */
import { createHash } from 'node:crypto';
import { DragonflyError } from '../../core/errors.ts';
import {
  manifestMediaTypes,
  parseManifest,
  parsePlatform,
  selectPlatform,
  type Descriptor,
} from '../../core/oci/manifest.ts';
import { blobUrl, manifestUrl, parseManifestUrl, type ManifestReference } from '../../core/oci/reference.ts';
import { maxIndexDepth } from './limits.ts';
import { statusError } from './registry-answer.ts';
import type { RegistryClient } from './registry-client.ts';
import { RegistryCredential } from './registry-credential.ts';

export interface ImageRequest {
  /** Of its manifest or index. */
  readonly url: string;
  /** Sent with every request; an `Authorization` among them is used as it is. */
  readonly headers: Readonly<Record<string, string>>;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly platform: string;
}

export interface ImagePart {
  readonly url: string;
  /** Absent for a manifest by tag, which another time names another image. */
  readonly digest?: string | undefined;
}

export interface FoundImage {
  /** In the order in which an engine asks for them; by tag, if it was asked for by tag, and by digest. */
  readonly manifests: readonly ImagePart[];
  readonly blobs: readonly Required<ImagePart>[];
  /** For requests to the registry, with a token renewed when needed. */
  readonly freshHeader: (signal: AbortSignal) => Promise<Record<string, string>>;
}

/** Header with which a registry answers a manifest as it is stored. */
export const acceptManifests = manifestMediaTypes.join(', ');

/** Throws PERMISSION_DENIED (egress), SOURCE_STATUS, SOURCE_UNREACHABLE, PROTOCOL, NOT_FOUND (platform). */
export async function findImage(
  registry: RegistryClient,
  request: ImageRequest,
  signal: AbortSignal,
): Promise<FoundImage> {
  const reference = parseManifestUrl(request.url);
  const isAuthorization = (name: string): boolean => name.toLowerCase() === 'authorization';
  const header = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !isAuthorization(name)));
  const given = Object.entries(request.headers).find(([name]) => isAuthorization(name))?.[1];
  const { username, password = '' } = request;
  const login = username === undefined ? undefined : { username, password };
  const credential = new RegistryCredential(registry, reference.name, { given, login });
  const read = async (url: string): Promise<string> => {
    const answer = await registry.getAuthorized(url, { ...header, accept: acceptManifests }, credential, signal);
    if (answer.status !== 200) throw statusError(url, answer);
    return answer.body;
  };
  const { manifests, blobs } = await walk(reference, parsePlatform(request.platform), read);
  return {
    manifests,
    blobs: blobs.map(({ digest }) => ({ url: blobUrl(reference, digest), digest })),
    freshHeader: async (abort) => {
      const authorization = await credential.authorization(abort);
      return authorization === undefined ? header : { ...header, authorization };
    },
  };
}

/** From the index, if it is one, to the image of the platform. */
async function walk(
  start: ManifestReference,
  platform: ReturnType<typeof parsePlatform>,
  read: (url: string) => Promise<string>,
): Promise<{ manifests: ImagePart[]; blobs: readonly Descriptor[] }> {
  const manifests: ImagePart[] = [];
  let current = start;
  for (let depth = 0; depth < maxIndexDepth; depth += 1) {
    const body = await read(manifestUrl(current));
    const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
    if (!current.reference.includes(':')) manifests.push({ url: manifestUrl(current) });
    manifests.push({ url: manifestUrl({ ...current, reference: digest }), digest });
    const manifest = parseManifest(body);
    if (manifest.kind === 'image') return { manifests, blobs: manifest.blobs };
    current = { ...current, reference: selectPlatform(manifest.manifests, platform).digest };
  }
  throw new DragonflyError('PROTOCOL', `the index at ${manifestUrl(start)} leads to ever more indexes`);
}
