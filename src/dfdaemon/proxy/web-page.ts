/**
 * Web pages are no programs of the machine on which they are looked at, though their requests come from there. A page of another site says
 * so by `Origin`; one whose name was made to lead here (DNS rebinding) reads what it gets, and is known by that name alone. No name is
 * looked up for this, since whoever owns it says where it leads.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

/** As browsers write it. */
const origin = /^(?:null|[a-z][a-z0-9+.-]*:\/\/\S+)$/i;
/** Names that nobody on the internet can have. */
const privateName =
  /^[^.]+$|\.(?:localhost|localdomain|local|internal|intranet|private|corp|home|svc|lan|test|home\.arpa)$/;

/** What programs of this machine may call it. */
export interface OwnNames {
  /** Of the machine, in lower case; the first label of one counts with each of the domains behind it. */
  readonly hosts: readonly string[];
  /** In which this machine searches names: whoever has names in them is of this network. */
  readonly domains: readonly string[];
  /** Of the proxy itself. */
  readonly certificate: X509Certificate | undefined;
}

/** @param certificate PEM or undefined. */
export async function readOwnNames(configured: string, certificate: string | undefined): Promise<OwnNames> {
  const resolver = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return {
    hosts: [configured, hostname()].map((name) => withoutDot(name.toLowerCase())),
    domains: domainsIn(resolver),
    certificate: certificate === undefined ? undefined : new X509Certificate(certificate),
  };
}

/** In lower case, as resolv.conf names them. A pod's are `<namespace>.svc.<domain>`, `svc.<domain>` and `<domain>`. */
export function domainsIn(resolver: string): string[] {
  const lines = resolver.split('\n').map((line) => line.trim().split(/\s/));
  const searched = lines
    .filter(([word]) => word === 'search' || word === 'domain')
    .flatMap(([, ...domains]) => domains);
  return searched.map((domain) => withoutDot(domain.toLowerCase())).filter((domain) => domain !== '');
}

export function mayBeWebPage({ headers }: Pick<IncomingMessage, 'headers'>, own: OwnNames): boolean {
  const site = headers['sec-fetch-site'];
  if (origin.test(headers.origin ?? '') || site === 'cross-site' || site === 'same-site') return true;
  return headers.host !== undefined && !isOwnName(headers.host, own);
}

function isOwnName(host: string, { hosts, domains, certificate }: OwnNames): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  const name = withoutDot(new URL(`http://${host}`).hostname);
  if (isIP(name.replace(/^\[|\]$/g, '')) !== 0 || privateName.test(name) || hosts.includes(name)) return true;
  // Below such a domain Kubernetes names its services.
  if (domains.some((domain) => domain.startsWith('svc.') && name.endsWith(`.${domain}`))) return true;
  const isOwn = (host: string, domain: string): boolean =>
    isIP(host) === 0 && name === `${host.split('.', 1)[0]}.${domain}`;
  if (hosts.some((each) => domains.some((domain) => isOwn(each, domain)))) return true;
  return certificate?.checkHost(name) !== undefined;
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
