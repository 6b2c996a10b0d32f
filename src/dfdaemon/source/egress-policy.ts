/**
 * Where this node may connect on behalf of a caller.
 *
 * The policy judges resolved addresses, never names: it is asked with the very address the socket will use, on every
 * connection and every redirect, so neither a redirect nor a name that changes its address can lead around it.
 *
 * Order: a configured denial wins; then a configured allow list, when there is one, is complete; without one everything
 * is allowed but what no origin lives at: link-local addresses (metadata services of clouds), multicast, reserved space.
 */
import { BlockList, isIP } from 'node:net';
import { DragonflyError } from '../../core/errors.ts';
import { metadataServices } from '../../core/net/metadata-addresses.ts';
import type { OutboundProxies, ProxyHop } from '../../core/net/outbound-proxy.ts';

export interface EgressRules {
  /** CIDRs or addresses. When not empty, nothing else can be reached and the built-in denials do not apply. */
  readonly allow?: readonly string[] | undefined;
  readonly deny?: readonly string[] | undefined;
  /** `address:port` of services that no origin request may reach: the cluster's own control plane. */
  readonly denyEndpoints?: readonly string[] | undefined;
  /** The same for services whose addresses change; called for every destination. */
  readonly controlPlane?: { includes(address: string, port: number): boolean } | undefined;
  /** Addresses of this machine that do not serve other machines: bridges, management networks. */
  readonly isInner?: ((address: string) => boolean) | undefined;
  /** The company's outbound proxies. */
  readonly outbound?: OutboundProxies | undefined;
}

export interface Destination {
  readonly address: string;
  readonly port: number;
  /** True when the caller is on this machine and named the address itself; a remote caller, or a redirect from a remote server, cannot reach it. */
  readonly loopbackAllowed: boolean;
  /** True by default. */
  readonly innerAllowed?: boolean | undefined;
}

const neverOrigins = ['169.254.0.0/16', 'fe80::/10', ...metadataServices, '224.0.0.0/4', 'ff00::/8', '240.0.0.0/4'];
const loopback = ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128'];

export class EgressPolicy {
  readonly #allow: BlockList | undefined;
  readonly #deny: BlockList;
  readonly #builtIn = blockList(neverOrigins);
  readonly #loopback = blockList(loopback);
  readonly #denyEndpoints: ReadonlySet<string>;
  readonly #controlPlane: EgressRules['controlPlane'];
  readonly #isInner: EgressRules['isInner'];
  readonly #outbound: EgressRules['outbound'];

  constructor(rules: EgressRules = {}) {
    this.#allow = rules.allow?.length ? blockList(rules.allow) : undefined;
    this.#deny = blockList(rules.deny ?? []);
    this.#denyEndpoints = new Set(rules.denyEndpoints);
    this.#controlPlane = rules.controlPlane;
    this.#isInner = rules.isInner;
    this.#outbound = rules.outbound;
  }

  /** Why the destination is denied; undefined when it may be reached. */
  denial({ address, port, loopbackAllowed, innerAllowed = true }: Destination): string | undefined {
    const plain = embeddedIpv4(address) ?? address;
    if (contains(this.#deny, plain)) return 'it is denied by configuration';
    if (this.#denyEndpoints.has(`${plain}:${port}`) || this.#controlPlane?.includes(plain, port) === true)
      return 'it is a service of this cluster';
    if (!loopbackAllowed && contains(this.#loopback, plain))
      return 'this machine itself is only for programs on it, and no redirect from elsewhere may lead to it';
    if (!innerAllowed && this.#isInner?.(plain) === true) return 'it is an inner address of this machine';
    if (this.#allow) return contains(this.#allow, plain) ? undefined : 'it is not in the configured allow list';
    return contains(this.#builtIn, plain) ? 'link-local, metadata and reserved addresses are no origins' : undefined;
  }

  /** Throws PERMISSION_DENIED when the destination is not allowed. */
  check(host: string, destination: Destination): void {
    const reason = this.denial(destination);
    if (reason === undefined) return;
    throw new DragonflyError(
      'PERMISSION_DENIED',
      `connecting to ${host} (${destination.address}) is refused: ${reason}`,
      {
        hint: 'Allow the address in the egress policy of the daemon if it really is an origin.',
      },
    );
  }

  /** The proxy that a request goes through. Undefined for none, and when the proxy is this very node, because the request would go in circles. */
  proxyFor(url: URL): ProxyHop | undefined {
    const hop = this.#outbound?.for(url);
    if (!hop) return undefined;
    const address = hop.host === 'localhost' ? '127.0.0.1' : hop.host;
    return isIP(address) && this.#controlPlane?.includes(address, hop.port) === true ? undefined : hop;
  }

  isLoopback(address: string): boolean {
    return contains(this.#loopback, embeddedIpv4(address) ?? address);
  }
}

function blockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', prefixText] = cidr.split('/');
    const version = isIP(address);
    const width = version === 6 ? 128 : 32;
    const prefix = prefixText === undefined ? width : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
    if (version === 0 || !(prefix <= width)) {
      throw new DragonflyError('CONFIG_INVALID', `"${cidr}" in the egress policy is neither an address nor a CIDR`, {
        hint: 'Write for example 10.0.0.0/8 or fd00::/8.',
      });
    }
    list.addSubnet(address, prefix, version === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** The IPv4 address inside a mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96) or 6to4 (2002::/16) address. */
function embeddedIpv4(address: string): string | undefined {
  if (isIP(address) !== 6) return undefined;
  const words = ipv6Words(address);
  const prefix = words.slice(0, 6).join(':');
  const pair = words[0] === 0x2002 ? words.slice(1, 3) : words.slice(6);
  if (words[0] !== 0x2002 && prefix !== '0:0:0:0:0:65535' && prefix !== '100:65435:0:0:0:0') return undefined;
  return pair.flatMap((word) => [word >> 8, word & 0xff]).join('.');
}

function ipv6Words(address: string): number[] {
  const bare = (address.split('%')[0] ?? '').replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_all, a: string, b: string, c: string, d: string) =>
      `${(Number(a) * 256 + Number(b)).toString(16)}:${(Number(c) * 256 + Number(d)).toString(16)}`,
  );
  const [head = '', tail] = bare.split('::');
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16));
  const [first, last] = [words(head), words(tail ?? '')];
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}
