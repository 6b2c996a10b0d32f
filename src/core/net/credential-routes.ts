/**
 * Where secrets may go: the one place that decides it, for daemon, proxy, preheats and registries. A request header
 * belongs to the origin it was given for; a registry login belongs to the registry's own token service.
 */
import { DragonflyError } from '../errors.ts';
import type { AuthChallenge } from '../oci/auth-challenge.ts';

type Header = Readonly<Record<string, string>>;

/** Headers that only say what the client prefers. */
const openHeaders: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'pragma',
  'user-agent',
  'range',
  'if-range',
]);

/** Headers that may follow a redirect to another origin: none that could be secret, which includes every unknown header. */
export function withoutSecrets(header: Header): Record<string, string> {
  return Object.fromEntries(Object.entries(header).filter(([name]) => openHeaders.has(name.toLowerCase())));
}

/** The header for the next request after a redirect from one URL to another. */
export function headerTowards(next: URL, from: URL, header: Header): Record<string, string> {
  return next.origin === from.origin ? { ...header } : withoutSecrets(header);
}

/**
 * The token service named by a registry's challenge. A registry with TLS must not name one without: throws PROTOCOL,
 * also when none is named. An empty repository stands for the registry's catalogue.
 */
export function tokenService(
  { parameters }: AuthChallenge,
  registry: URL,
  { repository, actions = 'pull' }: { readonly repository: string; readonly actions?: string },
): URL {
  const text = parameters['realm'] ?? '';
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  if (realm?.protocol !== 'https:' && !(realm?.protocol === 'http:' && registry.protocol === 'http:')) {
    throw new DragonflyError(
      'PROTOCOL',
      `${registry.host} asks for a token without saying where to get it safely`,
      realm && { hint: `${realm.origin} is not encrypted, while the registry is.` },
    );
  }
  realm.username = realm.password = '';
  if (parameters['service'] !== undefined) realm.searchParams.set('service', parameters['service']);
  realm.searchParams.set('scope', repository === '' ? 'registry:catalog:*' : `repository:${repository}:${actions}`);
  return realm;
}

/** Token services known to belong to a registry, though their names are unrelated. */
const knownServices: readonly (readonly [registry: RegExp, service: RegExp])[] = [
  [/(^|\.)nvcr\.io$/, /^authn\.nvidia\.com$/],
  [/(^|\.)icr\.io$/, /^iam\.cloud\.ibm\.com$/],
  [/^registry\.(connect\.)?redhat\.io$/, /^sso\.redhat\.com$/],
];

/** Whether the token service may get the registry's login: it is the same host, or one of the same domain. */
export function mayLogIn(service: URL, registry: URL): boolean {
  const [there, here] = [service.hostname, registry.hostname];
  if (there === here) return true;
  if (knownServices.some(([ofRegistry, ofService]) => ofRegistry.test(here) && ofService.test(there))) return true;
  if (isAddress(there) || isAddress(here)) return false;
  const domain = parentOf(here);
  return isOwned(domain) && (there === domain || parentOf(there) === domain);
}

function isAddress(host: string): boolean {
  return host.startsWith('[') || /^[\d.]+$/.test(host);
}

function parentOf(host: string): string {
  return host.slice(host.indexOf('.') + 1);
}

/** The registrable domain: two labels, or three below a short suffix such as `co.uk`. */
function isOwned(domain: string): boolean {
  const labels = domain.split('.');
  const [first = '', last = ''] = labels.slice(-2);
  return labels.length > (last.length === 2 && first.length <= 3 ? 2 : 1);
}
