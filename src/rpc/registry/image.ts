/** An image as a node of one platform pulls it: which manifests and blobs, with which headers. */
import { createHash } from 'node:crypto';
import { DragonflyError } from '../../core/errors.ts';
import {
  manifestMediaTypes,
  parseManifest,
  parsePlatform,
  candidatesFor,
  platformOfConfig,
  formatPlatform,
  type Platform,
  type Descriptor,
} from '../../core/oci/manifest.ts';
import { blobUrl, manifestUrl, parseManifestUrl, type ManifestReference } from '../../core/oci/reference.ts';
import { maxIndexDepth } from './limits.ts';
import { statusError } from './registry-answer.ts';
import type { RegistryClient } from './registry-client.ts';
import { RegistryCredential } from './registry-credential.ts';

export interface ImageRequest {
  /** URL of its manifest or index. */
  readonly url: string;
  /** Sent with every request; an `Authorization` among them is used unchanged. */
  readonly headers: Readonly<Record<string, string>>;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly platform: string;
}

export interface ImagePart {
  readonly url: string;
  /** Absent for a manifest by tag, which may name another image later. */
  readonly digest?: string | undefined;
  /** Absent where unknown: manifests of schema 1 name no sizes. */
  readonly sizeBytes?: number | undefined;
}

interface Blob extends ImagePart {
  readonly digest: string;
}

export interface FoundImage {
  /** In the order in which an engine requests them; by tag, if that was requested, and by digest. */
  readonly manifests: readonly ImagePart[];
  readonly blobs: readonly Blob[];
  /** Headers for requests to the registry, with a token that is renewed when needed. */
  readonly freshHeader: (signal: AbortSignal) => Promise<Record<string, string>>;
}

/** Header that makes a registry return a manifest as stored. */
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
  const credential = new RegistryCredential(
    registry,
    { origin: new URL(reference.registry), repository: reference.name },
    { given, login },
  );
  const read = async (url: string): Promise<string> => {
    const answer = await registry.getAuthorized(url, { ...header, accept: acceptManifests }, credential, signal);
    if (answer.status !== 200) throw statusError(url, answer);
    return answer.body;
  };
  const { manifests, blobs } = await walk(reference, parsePlatform(request.platform), read);
  return {
    manifests,
    blobs: blobs.map(({ digest, sizeBytes }) => ({
      url: blobUrl(reference, digest),
      digest,
      ...(sizeBytes > 0 && { sizeBytes }),
    })),
    freshHeader: async (abort) => {
      const authorization = await credential.authorization(abort);
      return authorization === undefined ? header : { ...header, authorization };
    },
  };
}

interface Walk {
  readonly platform: Platform;
  readonly read: (url: string) => Promise<string>;
}

interface Found {
  readonly manifests: readonly ImagePart[];
  readonly blobs: readonly Descriptor[];
}

/** Walks from an index, if it is one, to the image of the platform. Throws NOT_FOUND when there is none. */
async function walk(start: ManifestReference, platform: Platform, read: Walk['read']): Promise<Found> {
  const found = await step(start, { platform, read }, { depth: 0, named: true });
  if (found) return found;
  throw new DragonflyError(
    'NOT_FOUND',
    `the image at ${manifestUrl(start)} has nothing for ${formatPlatform(platform)}`,
  );
}

/** Undefined for an image of another platform; without an index (`named`) only its configuration shows that. */
async function step(
  current: ManifestReference,
  { platform, read }: Walk,
  { depth, named }: { readonly depth: number; readonly named: boolean },
): Promise<Found | undefined> {
  const body = await read(manifestUrl(current));
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const manifests: ImagePart[] = [];
  const sizeBytes = Buffer.byteLength(body);
  if (!current.reference.includes(':')) manifests.push({ url: manifestUrl(current), sizeBytes });
  const own = current.reference.includes(':') ? current.reference : digest;
  manifests.push({ url: manifestUrl({ ...current, reference: own }), digest: own, sizeBytes });
  const manifest = parseManifest(body);
  if (manifest.kind === 'image') {
    const isFor = named || (await mayRunOn(current, manifest.blobs[0], { platform, read }));
    return isFor ? { manifests, blobs: manifest.blobs } : undefined;
  }
  if (depth === maxIndexDepth) {
    throw new DragonflyError('PROTOCOL', `the index at ${manifestUrl(current)} leads to ever more indexes`);
  }
  for (const candidate of candidatesFor(manifest.manifests, platform)) {
    const options = { depth: depth + 1, named: candidate.platform !== undefined };
    const found = await step({ ...current, reference: candidate.digest }, { platform, read }, options);
    if (found) return { manifests: [...manifests, ...found.manifests], blobs: found.blobs };
  }
  return undefined;
}

/** A manifest that names no platform, such as that of an artifact, fits every platform. */
async function mayRunOn(
  reference: ManifestReference,
  config: Descriptor | undefined,
  { platform, read }: Walk,
): Promise<boolean> {
  if (!config || !/config|image/.test(config.mediaType)) return true;
  const told = platformOfConfig(await read(blobUrl(reference, config.digest)));
  return told === undefined || (told.os === platform.os && told.architecture === platform.architecture);
}
