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

const tag = '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}';
const repository = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*';
const manifestPath = new RegExp(`^/v2/(${repository})/manifests/(${tag}|[a-z0-9]+:[0-9a-f]{32,128})$`);

/** Longest repository name a registry accepts. */
const maxNameLength = 255;

const wholeRepository = new RegExp(`^${repository}$`);
const wholeTag = new RegExp(`^${tag}$`);

export function isRepositoryName(text: string): boolean {
  return text.length <= maxNameLength && wholeRepository.test(text);
}

export function isTagName(text: string): boolean {
  return wholeTag.test(text);
}

/** Throws INVALID_ARGUMENT unless the URL is that of a manifest. */
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

const imageName = new RegExp(`^(${repository})(?::(${tag}))?(?:@([a-z0-9]+:[0-9a-f]{32,128}))?$`);
const registryHost = /^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::\d{1,5})?$/i;
const dockerHub = 'registry-1.docker.io';
const dockerHubNames: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', dockerHub]);

/**
 * A registry by the one name it has here, so that two texts for the same one are the same text: small letters, addresses as URLs write
 * them, no port that its scheme has anyway, one name for Docker's hub. Undefined when the text is no host. Registries on this
 * machine are reached without TLS where nothing is said, as by engines.
 */
function registryOrigin(host: string, scheme?: string): string | undefined {
  if (!registryHost.test(host)) return undefined;
  const isLocal = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::|$)/i.test(host);
  const text = `${scheme ?? (isLocal ? 'http' : 'https')}://${host}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return dockerHubNames.has(url.hostname) ? `https://${dockerHub}` : url.origin;
}

/**
 * The manifest URL of an image name as container engines accept it: `nginx:1.27`, `ghcr.io/org/app@sha256:…`. Undefined
 * for anything else.
 */
export function manifestUrlOfImage(text: string): string | undefined {
  const [first = '', ...rest] = text.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const registry = registryOrigin(hasHost ? first : dockerHub);
  const match = imageName.exec(hasHost ? rest.join('/') : text);
  const path = match?.[1] ?? '';
  if (path === '' || path.length > maxNameLength || registry === undefined) return undefined;
  const name = registry === `https://${dockerHub}` && !path.includes('/') ? `library/${path}` : path;
  return manifestUrl({ registry, name, reference: match?.[3] ?? match?.[2] ?? 'latest' });
}

export interface RepositoryPattern {
  readonly registry: string;
  /** Pattern for repository names; `*` stands for anything. */
  readonly name: string;
}

/** `registry.example/team/*`, with or without a scheme; undefined when it names no registry, or no repository. */
export function parseRepositoryPattern(text: string): RepositoryPattern | undefined {
  const [, scheme, host = '', name = ''] = /^(?:(https?):\/\/)?([^/]+)\/([a-z0-9._\-/*]+)$/.exec(text) ?? [];
  const registry = namedRegistry(host, scheme);
  // If the pattern is no valid name with a letter for each star, nothing can match it.
  return registry !== undefined && isRepositoryName(name.replaceAll('*', 'a')) ? { registry, name } : undefined;
}

/** `registry.example/mirror`, a place below which repositories keep their names; `name` is empty for all of a registry. */
export function parseRegistryPlace(text: string): RepositoryPattern | undefined {
  const [, scheme, host = '', name = ''] = /^(?:(https?):\/\/)?([^/]+)(?:\/([^*]*[^*/]))?\/?$/.exec(text) ?? [];
  const registry = namedRegistry(host, scheme);
  return registry !== undefined && (name === '' || isRepositoryName(name)) ? { registry, name } : undefined;
}

/** A word without a dot or a port is no registry, but the beginning of a repository's name. */
function namedRegistry(host: string, scheme: string | undefined): string | undefined {
  return /[.:]/.test(host) || host.toLowerCase() === 'localhost' ? registryOrigin(host, scheme) : undefined;
}

export function manifestUrl({ registry, name, reference }: ManifestReference): string {
  return `${registry}/v2/${name}/manifests/${reference}`;
}

export function blobUrl({ registry, name }: ManifestReference, digest: string): string {
  return `${registry}/v2/${name}/blobs/${digest}`;
}
