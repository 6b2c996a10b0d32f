/** Image manifests and indexes, of OCI and of Docker's schema 2. */
import { z } from 'zod';
import { DragonflyError } from '../errors.ts';

export const manifestMediaTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly platform?: Platform | undefined;
}

/** An index names manifests, an image names its blobs, the configuration first. */
export type Manifest =
  | { readonly kind: 'index'; readonly manifests: readonly Descriptor[] }
  | { readonly kind: 'image'; readonly blobs: readonly Descriptor[] };

/** More entries than any real index or image has. */
const maxEntries = 1_000;

const digestText = z.string().regex(/^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/);

const descriptor = z
  .object({
    mediaType: z.string().default(''),
    digest: digestText,
    size: z.int().min(0),
    platform: z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).optional(),
    /** Foreign layers are not in the registry. */
    urls: z.array(z.string()).optional(),
  })
  .transform(({ size, urls, ...rest }) => ({
    ...rest,
    sizeBytes: size,
    foreign: (urls?.length ?? 0) > 0 && isForeign(rest.mediaType),
  }));

/** The media type marks layers that must not be pushed to registries; other layers with URLs are also in the registry. */
function isForeign(mediaType: string): boolean {
  return /\.foreign\.|\.nondistributable\./.test(mediaType);
}

const indexSchema = z.object({ manifests: z.array(descriptor).max(maxEntries) });
const imageSchema = z.object({ config: descriptor, layers: z.array(descriptor).max(maxEntries) });
/** The short-lived artifact manifest of the image specification: no configuration, other field names. */
const artifactSchema = z.object({ artifactType: z.string(), blobs: z.array(descriptor).max(maxEntries) });
/** Docker's schema 1: the configuration is part of the manifest. */
const oldSchema = z.object({
  schemaVersion: z.literal(1),
  fsLayers: z.array(z.object({ blobSum: digestText }).transform(({ blobSum }) => blobSum)).max(maxEntries),
});

/** Throws PROTOCOL when the text is neither. */
export function parseManifest(text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new DragonflyError('PROTOCOL', 'the registry sent a manifest that is not JSON', { cause });
  }
  const index = indexSchema.safeParse(json);
  if (index.success) return { kind: 'index', manifests: index.data.manifests };
  const image = imageSchema.safeParse(json);
  if (image.success) return imageOf([image.data.config, ...image.data.layers.filter((layer) => !layer.foreign)]);
  const artifact = artifactSchema.safeParse(json);
  if (artifact.success) return imageOf(artifact.data.blobs);
  const old = oldSchema.safeParse(json);
  if (old.success) return imageOf(old.data.fsLayers.map((digest) => ({ mediaType: '', digest, sizeBytes: 0 })));
  throw new DragonflyError('PROTOCOL', 'the registry sent neither an image manifest nor an index', {
    cause: image.error,
  });
}

/** Removes duplicate blobs. */
function imageOf(blobs: readonly Descriptor[]): Manifest {
  return { kind: 'image', blobs: [...new Map(blobs.map((blob) => [blob.digest, blob])).values()] };
}

/** The platform that an image's configuration names; undefined when it names none. */
export function platformOfConfig(text: string): Platform | undefined {
  try {
    const parsed = z
      .object({ os: z.string(), architecture: z.string(), variant: z.string().optional() })
      .safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** `linux/arm64` or `linux/arm64/v8`. Throws INVALID_ARGUMENT. */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text.toLowerCase());
  if (!match) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is not a platform`, {
      hint: 'Write it as os/architecture, for example linux/amd64.',
    });
  }
  return { os: match[1] ?? '', architecture: match[2] ?? '', variant: match[3] };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/**
 * The manifests that a node of that platform might pull, best first: same operating system and architecture, the wanted
 * variant and then the next lower ones; after them those without a platform, whose content has to tell: images of old
 * tools, nested indexes, artifacts. Throws NOT_FOUND that lists the available platforms.
 */
export function candidatesFor(manifests: readonly Descriptor[], wanted: Platform): readonly Descriptor[] {
  const named = manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const variant = wanted.variant ?? defaultVariant(wanted.architecture);
  const rank = ({ platform }: Descriptor): number =>
    variantNumber(platform?.variant ?? defaultVariant(wanted.architecture));
  const usable = named
    .filter((candidate) => rank(candidate) <= variantNumber(variant))
    .sort((a, b) => rank(b) - rank(a));
  const unnamed = manifests.filter(({ platform }) => platform === undefined);
  if (usable.length + unnamed.length > 0) return [...usable, ...unnamed];
  const offered = manifests.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : []));
  throw new DragonflyError(
    'NOT_FOUND',
    `the image has nothing for ${formatPlatform(wanted)}; it has ${offered.join(', ') || 'no platforms'}`,
  );
}

function defaultVariant(architecture: string): string | undefined {
  if (architecture === 'arm64') return 'v8';
  return architecture === 'arm' ? 'v7' : undefined;
}

/** v6 < v7 < v8; no variant is the lowest. */
function variantNumber(variant: string | undefined): number {
  return Number(/\d+(?:\.\d+)?/.exec(variant ?? '')?.[0] ?? 0);
}
