/** Which S3 operations are served: reading objects, questions that only the store can answer, and writes where the bucket allows them. Pure. */
import { S3Refusal } from './s3-refusal.ts';
import type { S3Target } from './s3-target.ts';

export type S3Operation =
  | { readonly kind: 'buckets' }
  /** Concerns a bucket, whatever keys the caller may use. */
  | { readonly kind: 'bucket' }
  /** The content of an object, or its metadata. */
  | { readonly kind: 'object' }
  /** Answered by the store. @param prefix of the keys it concerns. */
  | { readonly kind: 'question'; readonly prefix: string }
  /** @param prefix of the keys that change; undefined when the body names them. */
  | { readonly kind: 'write'; readonly prefix: string | undefined };

/** Query parameters with which a GET still reads content. `x-id` names the operation, for logs. */
const ofContent = new Set([
  'versionId',
  'partNumber',
  'x-id',
  'x-amz-checksum-mode',
  'response-content-type',
  'response-content-language',
  'response-expires',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
]);

/** Sub-resources of a bucket that are read by GET; the parameter `prefix` limits their keys. */
const listings = new Set(['list-type', 'versions', 'uploads']);
const ofBucket = new Set(['location', 'versioning']);
const ofObject = new Set(['attributes', 'tagging', 'uploadId']);
const ofListing = new Set([
  'prefix',
  'delimiter',
  'marker',
  'max-keys',
  'encoding-type',
  'continuation-token',
  'start-after',
  'fetch-owner',
  'allow-unordered',
  'key-marker',
  'version-id-marker',
  'upload-id-marker',
  'max-uploads',
]);

/** Throws S3Refusal for what is not served. */
export function s3Operation(method: string, { bucket, key, query }: S3Target): S3Operation {
  const reads = method === 'GET' || method === 'HEAD';
  const names = [...query.keys()].filter((name) => name !== 'x-id');
  const only = (...sets: ReadonlySet<string>[]): boolean => names.every((name) => sets.some((set) => set.has(name)));
  if (bucket === '') {
    if (method === 'GET' && names.length === 0) return { kind: 'buckets' };
  } else if (key === '' && reads) {
    if (method === 'HEAD' && names.length === 0) return { kind: 'bucket' };
    if (only(ofBucket) && names.length === 1) return { kind: 'bucket' };
    if (only(listings, ofListing)) return { kind: 'question', prefix: query.get('prefix') ?? '' };
  } else if (key === '') {
    if (method === 'POST' && only(new Set(['delete'])) && names.length === 1)
      return { kind: 'write', prefix: undefined };
    if (names.length === 0)
      throw new S3Refusal('MethodNotAllowed', 'Buckets are made and removed at the store itself.');
  } else if (reads) {
    if (only(ofContent)) return { kind: 'object' };
    if (method === 'GET' && only(ofObject, new Set(['versionId', 'max-parts', 'part-number-marker'])))
      return { kind: 'question', prefix: key };
  } else if (isWrite(method, query, only)) return { kind: 'write', prefix: key };
  throw new S3Refusal(
    'NotImplemented',
    'A header or query you provided implies functionality that is not implemented.',
  );
}

function isWrite(
  method: string,
  query: ReadonlyMap<string, string>,
  only: (...sets: ReadonlySet<string>[]) => boolean,
): boolean {
  if (method === 'PUT') {
    const part = query.has('partNumber') && query.has('uploadId');
    return only(new Set(part ? ['partNumber', 'uploadId'] : ['tagging', 'versionId']));
  }
  if (method === 'POST') return query.has('uploadId') ? only(new Set(['uploadId'])) : onlyUploads(query);
  return method === 'DELETE' && only(new Set(query.has('uploadId') ? ['uploadId'] : ['versionId', 'tagging']));
}

/** Begins an upload in parts. */
function onlyUploads(query: ReadonlyMap<string, string>): boolean {
  return query.has('uploads') && [...query.keys()].every((name) => name === 'uploads' || name === 'x-id');
}
