/**
 * A bundle: small files of one directory, one behind the other, as the content of one task.
 *
 * Its list says what the files are, in their order, as the listing of the directory told it. Whoever has the same listing writes the same
 * list, and so names the same task without asking anybody; whoever fetches it is told the list with the request, since nothing else says
 * what to ask the origin for.
 */
import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { DragonflyError } from '../errors.ts';
import { isListedDigest } from './listed-digest.ts';
import { maxBundledFileBytes, maxBundleFiles, maxBundleListBytes, maxBundlePathLength } from './limits.ts';

/** What a listing tells of one file. */
export interface ListedFile {
  /** Below the URL of the directory, escaped as in a URL. */
  readonly path: string;
  readonly lengthBytes: number;
  /** ETag, else Last-Modified, as the origin answers with when it is asked for the file. */
  readonly validator?: string | undefined;
  /** Of the content: see `hasListedDigest`. */
  readonly digest?: string | undefined;
}

export interface BundledFile extends ListedFile {
  /** In the content of the bundle. */
  readonly offsetBytes: number;
}

export interface Bundle {
  readonly files: readonly BundledFile[];
  readonly lengthBytes: number;
  /** SHA-256 of the list: what the identity of the task is made of. */
  readonly listDigest: string;
  /** The list, packed, as it travels. */
  readonly packed: Uint8Array;
}

/** Throws INVALID_ARGUMENT for files that no bundle may have. */
export function makeBundle(files: readonly ListedFile[]): Bundle {
  const text = listOf(files);
  return bundleOf(text, deflateRawSync(text, { level: 1 }));
}

/** A list as others send it. Throws INVALID_ARGUMENT. */
export function readBundle(packed: Uint8Array): Bundle {
  return bundleOf(unpacked(packed).toString('utf8'), packed);
}

/** The SHA-256 of the list, whatever is in it: for those who pass it on, and compare it with a name. Throws INVALID_ARGUMENT. */
export function listDigestOf(packed: Uint8Array): string {
  return createHash('sha256').update(unpacked(packed)).digest('hex');
}

function unpacked(packed: Uint8Array): Buffer {
  try {
    return inflateRawSync(packed, { maxOutputLength: maxBundleListBytes });
  } catch (error) {
    throw malformed('cannot be unpacked', error);
  }
}

/** The text that a list is; what it costs a bundle to have the file. */
export function listOf(files: readonly ListedFile[]): string {
  return JSON.stringify(
    files.map(({ path, lengthBytes, validator, digest }) => entryOf(path, lengthBytes, validator, digest)),
  );
}

type Entry = readonly [path: string, lengthBytes: number, validator?: string, digest?: string];

function entryOf(path: string, lengthBytes: number, validator: string | undefined, digest: string | undefined): Entry {
  if (digest !== undefined) return [path, lengthBytes, validator ?? '', digest];
  return validator === undefined ? [path, lengthBytes] : [path, lengthBytes, validator];
}

function bundleOf(text: string, packed: Uint8Array): Bundle {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (error) {
    throw malformed('is not JSON', error);
  }
  if (!Array.isArray(entries) || entries.length === 0) throw malformed('names no files');
  if (entries.length > maxBundleFiles) throw malformed(`names more than ${maxBundleFiles} files`);
  const files: BundledFile[] = [];
  const seen = new Set<string>();
  let lengthBytes = 0;
  for (const entry of entries) {
    const file = fileOf(entry, lengthBytes);
    if (seen.has(file.path)) throw malformed(`names ${file.path} twice`);
    seen.add(file.path);
    files.push(file);
    lengthBytes += file.lengthBytes;
  }
  const listDigest = createHash('sha256').update(text).digest('hex');
  return { files, lengthBytes, listDigest, packed };
}

function fileOf(entry: unknown, offsetBytes: number): BundledFile {
  if (!Array.isArray(entry)) throw malformed('has something else than files');
  const [path, lengthBytes, validator = '', digest = ''] = entry as unknown[];
  if (typeof path !== 'string' || !isBundlePath(path)) throw malformed('has a path that leads elsewhere');
  if (!isBundledLength(lengthBytes)) throw malformed(`has no length of a small file for ${path}`);
  if (!isLine(validator)) throw malformed(`has something else than a validator for ${path}`);
  if (typeof digest !== 'string' || (digest !== '' && !isListedDigest(digest)))
    throw malformed(`has something else than a digest for ${path}`);
  if (!isTold(validator, digest)) throw malformed(`has nothing that ${path} could be compared with`);
  return {
    path,
    offsetBytes,
    lengthBytes,
    ...(validator !== '' && { validator }),
    ...(digest !== '' && { digest }),
  };
}

/** Whether a bundle may have the file: small, and with something that tells it from another of its length at the same place. */
export function isBundled({ path, lengthBytes, validator = '', digest = '' }: ListedFile): boolean {
  return (
    isBundlePath(path) &&
    isBundledLength(lengthBytes) &&
    isLine(validator) &&
    (digest === '' || isListedDigest(digest)) &&
    isTold(validator, digest)
  );
}

/** Parts of a file are fetched at different times, by different nodes: nothing else would tell that it was replaced in between. */
function isTold(validator: string, digest: string): boolean {
  return validator !== '' || digest !== '';
}

function isLine(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 256 && /^[\x20-\x7e]*$/.test(value);
}

function isBundledLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= maxBundledFileBytes;
}

/**
 * Whether paths can be appended to the URL as it is written. Readers of URLs drop what such texts end with or hide (`dir/?`, a space), and so the
 * same task would be made of other URLs.
 */
export function isBundleDirectory(url: string): boolean {
  return url.endsWith('/') && !/[?#\s\p{Cc}]/u.test(url);
}

/** Appended to the URL of a directory it is the URL of something below, whoever reads it. */
export function isBundlePath(path: string): boolean {
  if (path.length > maxBundlePathLength || !/^[!$%&'()*+,\-./0-9:;=@A-Z_a-z~]+$/.test(path)) return false;
  try {
    return path.split('/').every((name) => isName(decodeURIComponent(name)));
  } catch {
    return false; // escapes that are none
  }
}

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name);
}

function malformed(what: string, cause?: unknown): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', `the list of a bundle ${what}`, { cause });
}
