/**
 * Where secrets may go: the one place that says so, for daemon, proxy, preheats and registries alike. A header of a request is for the origin it was given
 * for; a login of a registry is for its own token service.
 */
import { DragonflyError } from '../errors.ts';
import type { AuthChallenge } from '../oci/auth-challenge.ts';

type Header = Readonly<Record<string, string>>;

/** Says only what the client would like to have. */
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

/** Headers that may follow a redirect to another origin: none that could be secret, and any header the caller invented could be. */
export function withoutSecrets(header: Header): Record<string, string> {
  return Object.fromEntries(Object.entries(header).filter(([name]) => openHeaders.has(name.toLowerCase())));
}

/** The header for the next request of a way that has led from one URL to another. */
export function headerTowards(next: URL, from: URL, header: Header): Record<string, string> {
  return next.origin === from.origin ? { ...header } : withoutSecrets(header);
}

/**
 * Of the registry that sent the challenge. One behind TLS cannot name a token service without it: throws PROTOCOL, also
 * when it names none. An empty repository stands for the registry's catalogue.
 */
export function tokenService({ parameters }: AuthChallenge, registry: URL, repository: string): URL {
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
  realm.searchParams.set('scope', repository === '' ? 'registry:catalog:*' : `repository:${repository}:pull`);
  return realm;
}

/** Token services that are known to be a registry's, though their names have nothing in common. */
const knownServices: readonly (readonly [registry: RegExp, service: RegExp])[] = [
  [/(^|\.)nvcr\.io$/, /^authn\.nvidia\.com$/],
  [/(^|\.)icr\.io$/, /^iam\.cloud\.ibm\.com$/],
  [/^registry\.(connect\.)?redhat\.io$/, /^sso\.redhat\.com$/],
];

/** The token service may have the login that was given for the registry: it is the same host, or one of the same domain. */
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
