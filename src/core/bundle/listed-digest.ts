/** What listings tell of content, and content is compared with. */
import { createHash } from 'node:crypto';

const listed = /^(?:sha256:([0-9a-f]{64})|git-sha1:([0-9a-f]{40}))$/;

/** `sha256:…`, or `git-sha1:…` as git names files. */
export function isListedDigest(text: string): boolean {
  return listed.test(text);
}

/** Whether the content is what the listing told. */
export function hasListedDigest(content: Uint8Array, digest: string): boolean {
  const [, sha256, blobId] = listed.exec(digest) ?? [];
  if (sha256 !== undefined) return createHash('sha256').update(content).digest('hex') === sha256;
  return blobId !== undefined && hasBlobId(content, blobId);
}

/** Git names files by the SHA-1 of their length and content. */
export function hasBlobId(content: Uint8Array, blobId: string): boolean {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex') === blobId;
}
