/** Parses what a request to a registry is about from its path. */
import { namedInRegistry } from '../../../core/oci/registry-path.ts';

export interface RegistryPath {
  readonly kind: 'manifest' | 'blob';
  /** Repository name, with slashes. */
  readonly repository: string;
  /** Tag or digest of a manifest, digest of a blob. */
  readonly reference: string;
}

/** `/v2/<name>/manifests/<reference>` and `/v2/<name>/blobs/<digest>`, behind any prefix; undefined for anything else. */
export function registryPath(pathname: string): RegistryPath | undefined {
  const named = namedInRegistry(pathname);
  if (!named) return undefined;
  const { kind, repository } = named;
  const reference = named.reference.replace(/%3a/gi, ':');
  if (kind === 'blobs' && !reference.includes(':')) return undefined;
  return { kind: kind === 'blobs' ? 'blob' : 'manifest', repository, reference };
}

/** `sha256:…` or `sha512:…` in full; a tag never looks like this. */
export function isDigest(reference: string): boolean {
  return /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(reference);
}

/**
 * Requests of the registry protocol that must reach the registry even if a rule matches every URL: ping, tags,
 * catalogue, referrers, uploads, and token requests, which are recognised by the parameters that the token protocol
 * requires. Anything else below a directory `v2` is a file like others.
 */
export function isRegistryControl(url: URL): boolean {
  if (isControlPath(url.pathname) || registryPath(url.pathname)?.kind === 'manifest') return true;
  const { searchParams: query } = url;
  return query.has('service') && (query.has('scope') || query.has('account'));
}

/** From behind the first directory `v2` on, looked at from its end: an expression would begin anew at each `/v2`. */
function isControlPath(pathname: string): boolean {
  const start = `${pathname}/`.indexOf('/v2/');
  if (start === -1) return false;
  const rest = pathname.slice(start + '/v2'.length);
  if (['', '/', '/_catalog'].includes(rest)) return true;
  const parent = rest.slice(0, rest.lastIndexOf('/') + 1);
  const isOf = (path: string, ending: string): boolean => path.endsWith(ending) && path.length > `/${ending}`.length;
  const isUpload = isOf(rest, '/blobs/uploads') || isOf(parent, '/blobs/uploads/');
  return isUpload || isOf(rest, '/tags/list') || (rest !== parent && isOf(parent, '/referrers/'));
}
