/** What a request to a registry is about, by its path (distribution specification). */

export interface NamedInRegistry {
  readonly kind: 'manifests' | 'blobs';
  /** Repository name, with slashes. */
  readonly repository: string;
  /** As it is written. */
  readonly reference: string;
  /** Of the path, up to the reference. */
  readonly base: string;
}

/** `/v2/<name>/manifests/<reference>` and `/v2/<name>/blobs/<digest>`, behind any prefix; undefined for anything else. */
export function namedInRegistry(pathname: string): NamedInRegistry | undefined {
  const base = pathname.slice(0, pathname.lastIndexOf('/') + 1);
  const reference = pathname.slice(base.length);
  const kind = base.endsWith('/manifests/') ? 'manifests' : base.endsWith('/blobs/') ? 'blobs' : undefined;
  const repository = kind && repositoryIn(base, `/${kind}/`);
  return kind && repository !== undefined && reference !== '' ? { kind, repository, reference, base } : undefined;
}

/** Of a blob that is being uploaded: the path below which it will be, as `/v2/<name>/blobs/`. */
export function uploadedBelow(pathname: string): string | undefined {
  const place = pathname.slice(0, pathname.lastIndexOf('/') + 1);
  if (!place.endsWith('/blobs/uploads/')) return undefined;
  const base = place.slice(0, -'uploads/'.length);
  return repositoryIn(base, '/blobs/') === undefined ? undefined : base;
}

/** From behind the first `/v2/` on. */
function repositoryIn(base: string, ending: string): string | undefined {
  const start = base.indexOf('/v2/') + '/v2/'.length;
  const end = base.length - ending.length;
  return start >= '/v2/'.length && end > start ? base.slice(start, end) : undefined;
}
