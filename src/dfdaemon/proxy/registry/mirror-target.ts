/** Where a request to the mirror goes: the registry named by header, by containerd's `ns`, or by the configuration. */
import { DragonflyError } from '../../../core/errors.ts';
import type { ProxySettings } from '../proxy-config.ts';
import { withoutTrailing } from '../../../core/text/linear-text.ts';
import type { MirrorNaming } from './mirror-naming.ts';

/** Image references name Docker Hub by a host at which there is a web page, not the registry. */
const dockerHubNames = new Set([
  'docker.io',
  'www.docker.io',
  'index.docker.io',
  'hub.docker.com',
  'registry.hub.docker.com',
]);
const dockerHubRegistry = 'registry-1.docker.io';

export interface MirrorRights extends Pick<ProxySettings['mirror'], 'url' | 'registries'> {
  /** Whether clients may name the registry. false: the name is ignored. `refused`: the request is refused. */
  readonly dynamic: boolean | 'refused';
}

export interface MirrorTarget {
  readonly url: URL;
  /** Path and query as the client wrote them, without what was meant for the mirror. */
  readonly target: string;
  /** Undefined where the registry's relative references mean the same at the mirror. */
  readonly naming: MirrorNaming | undefined;
}

/**
 * @param requestTarget path and query as the client sent them, beginning with a slash
 * @param registry value of X-Dragonfly-Registry
 */
export function mirrorTarget(requestTarget: string, registry: string | undefined, mirror: MirrorRights): MirrorTarget {
  const queryStart = requestTarget.indexOf('?');
  const written = queryStart === -1 ? requestTarget : requestTarget.slice(0, queryStart);
  const pairs = queryStart === -1 ? [] : requestTarget.slice(queryStart + 1).split('&');
  const namespace = pairs.find((pair) => pair.startsWith('ns='))?.slice(3);
  const via = mirror.dynamic === false ? undefined : fromPath(written);
  const path = via?.path ?? written;
  const named = mirror.dynamic === false ? undefined : (registry ?? via?.registry ?? decoded(namespace));
  const base = registryBase(named ?? mirror.url);
  if (named !== undefined) requireAllowed(base, mirror);
  const prefix = withoutTrailing(base.pathname, '/');
  const kept = pairs.filter((pair) => !pair.startsWith('ns='));
  const query =
    kept.length === pairs.length ? requestTarget.slice(written.length) : kept.length === 0 ? '' : `?${kept.join('&')}`;
  const target = `${prefix}${path}${query}`;
  const byQuery = registry === undefined && via === undefined && named !== undefined ? namespace : undefined;
  const viaPath = registry === undefined ? via?.viaPath : undefined;
  const differs = prefix !== '' || byQuery !== undefined || viaPath !== undefined;
  const naming = differs ? { origin: base.origin, prefix, namespace: byQuery, viaPath } : undefined;
  return { url: new URL(`${base.origin}${target}`), target, naming };
}

/** Throws PERMISSION_DENIED. */
function requireAllowed(named: URL, { url, registries, dynamic }: MirrorRights): void {
  const listed = [url, ...registries].some((registry) => registryBase(registry).origin === named.origin);
  if (listed || (registries.length === 0 && dynamic !== 'refused')) return;
  throw new DragonflyError('PERMISSION_DENIED', `clients may not name the registry ${named.host} here`, {
    hint: 'A program of this host calls the proxy by its address (127.0.0.1). Otherwise list the registry in proxy.registryMirror.registries, or set proxy.registryMirror.dynamic to true for clients of other hosts.',
  });
}

/**
 * podman and CRI-O name the registry in the mirror's location: `/v2/dragonfly.via/<host>[_<port>]/<repository>/…`, with
 * `dragonfly.via.http` for a registry without TLS.
 */
function fromPath(path: string): { registry: string; path: string; viaPath: string } | undefined {
  const match = /^(\/v2\/dragonfly\.via(\.http)?\/([a-z0-9.-]+)(?:_(\d{1,5}))?)(\/.+)$/.exec(path);
  if (!match) return undefined;
  const [, viaPath = '', plain, host = '', port, rest = ''] = match;
  const authority = port === undefined ? host : `${host}:${port}`;
  return { registry: `${plain === undefined ? 'https' : 'http'}://${authority}`, path: `/v2${rest}`, viaPath };
}

/** Scheme, host and path prefix of a registry as users name it. Throws INVALID_ARGUMENT. */
export function registryBase(text: string): URL {
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `${defaultScheme(text)}://${text}`;
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new DragonflyError('INVALID_ARGUMENT', `"${text}" does not name a registry`, {
      hint: 'Write X-Dragonfly-Registry as a URL, for example https://registry-1.docker.io.',
    });
  }
  if (dockerHubNames.has(url.hostname)) {
    url.hostname = dockerHubRegistry;
    if (url.pathname === '/v1/' || url.pathname === '/v1') url.pathname = '/';
  }
  return url;
}

/** Container engines use plain HTTP for a registry on the node itself and TLS for every other, unless configured otherwise. */
function defaultScheme(host: string): 'http' | 'https' {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(\/|$)/.test(host) ? 'http' : 'https';
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // a malformed escape names nothing
  }
}
