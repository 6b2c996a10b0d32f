/**
 * One tag to another registry: everything it names, of all platforms, so that its digest is the same there. Blobs and manifests that are
 * there stay as they are, which is how a push goes on after whatever ended it; the tag itself comes last.
 */
import { DragonflyError } from '../../core/errors.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import { parseManifest } from '../../core/oci/manifest.ts';
import { maxIndexDepth } from '../../rpc/registry/limits.ts';
import { copyBlob } from './blob-upload.ts';
import type { CopyOutcome } from './outcome.ts';
import type { ReadManifest, RegistryRepository } from './registry-repository.ts';

export interface TagPush {
  readonly source: RegistryRepository;
  readonly target: RegistryRepository;
  readonly tag: string;
  /** What the source said that the tag is. */
  readonly digest: string;
  readonly rate: RateLimiter;
  readonly signal: AbortSignal;
}

/** Blobs under way to a registry: tags that have them in common wait for one upload. */
export type Uploads = Map<string, Promise<number>>;

/** Proven: asked afterwards, the target says that the tag is this digest. Throws as the registries answer. */
export async function pushTag(push: TagPush, uploads: Uploads): Promise<CopyOutcome> {
  const { source, target, tag, digest, signal } = push;
  if ((await target.digest(tag, signal)) === digest) return { digest, bytes: 0, proven: true };
  const top = await source.manifest(digest, signal);
  const bytes = await pushBelow(push, top, uploads, 0);
  await target.putManifest(tag, top, signal);
  const there = await target.digest(tag, signal);
  if (there === digest) return { digest, bytes, proven: true };
  throw new DragonflyError('DIGEST_MISMATCH', `${target.place.registry} says that ${tag} is ${there ?? 'not there'}`, {
    hint: 'Somebody else writes the tag, or the registry changes what it is given.',
  });
}

async function pushBelow(push: TagPush, { text }: ReadManifest, uploads: Uploads, depth: number): Promise<number> {
  if (depth > maxIndexDepth) throw new DragonflyError('PROTOCOL', 'an index leads to ever more indexes');
  const { source, target, signal } = push;
  const manifest = parseManifest(text);
  let bytes = 0;
  if (manifest.kind === 'image') {
    for (const blob of manifest.blobs) bytes += await once(push, blob, uploads);
    return bytes;
  }
  for (const { digest } of manifest.manifests) {
    if ((await target.digest(digest, signal)) === digest) continue;
    const child = await source.manifest(digest, signal);
    bytes += await pushBelow(push, child, uploads, depth + 1);
    await target.putManifest(digest, child, signal);
  }
  return bytes;
}

async function once(push: TagPush, blob: { digest: string; sizeBytes: number }, uploads: Uploads): Promise<number> {
  const { place } = push.target;
  const key = `${place.registry}/${place.name}@${blob.digest}`;
  const running = uploads.get(key);
  if (running) {
    await running;
    return 0;
  }
  const copying = copyBlob({ ...push, blob }).finally(() => uploads.delete(key));
  uploads.set(key, copying);
  return copying;
}
