/** URLs of the registry protocol: `<scheme>://<host>/v2/<name>/manifests/<reference>` and what belongs to them. */
import { DragonflyError } from '../errors.ts';

export interface ManifestReference {
  /** Scheme and host, `https://registry.example:5000`. */
  readonly registry: string;
  /** Repository, `library/alpine`. */
  readonly name: string;
  /** Tag or digest. */
  readonly reference: string;
}

const repository = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*';
const manifestPath = new RegExp(
  `^/v2/(${repository})/manifests/([A-Za-z0-9_][A-Za-z0-9._-]{0,127}|[a-z0-9]+:[0-9a-f]{32,128})$`,
);

/** Longest repository name a registry accepts. */
const maxNameLength = 255;

/** Throws INVALID_ARGUMENT when the URL is not that of a manifest. */
export function parseManifestUrl(text: string): ManifestReference {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const match = url && manifestPath.exec(url.pathname);
  const name = match?.[1] ?? '';
  if (!url || !match || !/^https?:$/.test(url.protocol) || name.length > maxNameLength) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is not the URL of an image manifest`, {
      hint: 'Write it as https://<registry>/v2/<name>/manifests/<tag or digest>.',
    });
  }
  return { registry: `${url.protocol}//${url.host}`, name, reference: match[2] ?? '' };
}

export function isManifestUrl(text: string): boolean {
  try {
    parseManifestUrl(text);
    return true;
  } catch {
    return false;
  }
}

export function manifestUrl({ registry, name, reference }: ManifestReference): string {
  return `${registry}/v2/${name}/manifests/${reference}`;
}

export function blobUrl({ registry, name }: ManifestReference, digest: string): string {
  return `${registry}/v2/${name}/blobs/${digest}`;
}
