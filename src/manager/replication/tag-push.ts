/**
 * One tag to another registry: everything it names, of all platforms, so that its digest is the same there. Blobs and manifests that are
 * there stay as they are, which is how a push goes on after whatever ended it; the tag itself comes last.
 */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import { parseManifest } from '../../core/oci/manifest.ts';
import { maxIndexDepth } from '../../rpc/registry/limits.ts';
import type { CopyOutcome } from './outcome.ts';
import type { ReadManifest, RegistryRepository } from './registry-repository.ts';
import type { RuleBlobs } from './rule-blobs.ts';

export interface TagPush {
  readonly source: RegistryRepository;
  readonly target: RegistryRepository;
  readonly tag: string;
  /** What the source said that the tag is. */
  readonly digest: string;
  readonly rate: RateLimiter;
  readonly signal: AbortSignal;
}

/** The source does not have what it said that the tag is: it may be another image by now. */
export class ManifestGone extends DragonflyError {}

/** Proven: asked afterwards, the target says that the tag is this digest. Throws as the registries answer. */
export async function pushTag(push: TagPush, blobs: RuleBlobs): Promise<CopyOutcome> {
  const { target, tag, digest, signal } = push;
  if ((await target.digest(tag, signal)) === digest) return { digest, bytes: 0, proven: true };
  const top = await readManifest(push, digest, `which ${tag} was`);
  const bytes = await pushBelow(push, top, blobs, 0);
  await target.putManifest(tag, top, signal);
  const there = await target.digest(tag, signal);
  if (there === digest) return { digest, bytes, proven: true };
  throw new DragonflyError('DIGEST_MISMATCH', `${target.place.registry} says that ${tag} is ${there ?? 'not there'}`, {
    hint: 'Somebody else writes the tag, or the registry changes what it is given.',
  });
}

/** Throws ManifestGone. */
async function readManifest({ source, signal }: TagPush, digest: string, what: string): Promise<ReadManifest> {
  try {
    return await source.manifest(digest, signal);
  } catch (error) {
    const { details } = toDragonflyError(error);
    if (details?.['statusCode'] !== 404) throw error;
    throw new ManifestGone('NOT_FOUND', `the source does not have ${digest}, ${what}`, { cause: error });
  }
}

async function pushBelow(push: TagPush, { text }: ReadManifest, blobs: RuleBlobs, depth: number): Promise<number> {
  if (depth > maxIndexDepth) throw new DragonflyError('PROTOCOL', 'an index leads to ever more indexes');
  const { target, signal } = push;
  const manifest = parseManifest(text);
  let bytes = 0;
  if (manifest.kind === 'image') {
    for (const blob of manifest.blobs) bytes += await blobs.copy({ ...push, blob });
    return bytes;
  }
  for (const { digest } of manifest.manifests) {
    if ((await target.digest(digest, signal)) === digest) continue;
    const child = await readManifest(push, digest, 'which an index of the tag names');
    bytes += await pushBelow(push, child, blobs, depth + 1);
    await target.putManifest(digest, child, signal);
  }
  return bytes;
}
