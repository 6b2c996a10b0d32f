/**
 * Where a service of the control plane may connect when a user names a URL. The address that the socket will use is
 * checked, on every connection and redirect, so neither a redirect nor a changing name bypasses it.
 *
 * By default: ordinary unicast addresses, including private ones, but never this service itself. Loopback, link-local
 * (metadata services of clouds), multicast and reserved addresses only when configured.
 */
import { lookup } from 'node:dns';
import { lookup as lookupAll } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import { DragonflyError } from '../../core/errors.ts';
import { metadataServices } from '../../core/net/metadata-addresses.ts';

export interface EgressRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Ports of this service, which are forbidden on its own addresses. */
  readonly ownPorts: () => ReadonlySet<number>;
}

const ordinaryRanges = new Set(['unicast', 'private', 'uniqueLocal', 'carrierGradeNat']);

export class Egress {
  readonly #allow: readonly string[];
  readonly #deny: readonly string[];
  readonly #ownPorts: () => ReadonlySet<number>;

  /** Throws CONFIG_INVALID for a malformed CIDR. */
  constructor({ allow, deny, ownPorts }: EgressRules) {
    for (const cidr of [...allow, ...deny]) {
      if (!ipaddr.isValidCIDR(cidr))
        throw new DragonflyError('CONFIG_INVALID', `"${cidr}" is not a network, as in 10.0.0.0/8`);
    }
    this.#allow = allow;
    this.#deny = [...deny, ...metadataServices];
    this.#ownPorts = ownPorts;
  }

  /** Throws PERMISSION_DENIED. */
  check(host: string, address: string, port: number): void {
    const reason = this.#denial(address, port);
    if (reason === undefined) return;
    throw new DragonflyError('PERMISSION_DENIED', `connecting to ${host} (${address}) is refused: ${reason}`, {
      hint: 'If it really is a registry or origin, add its network to job.preheat.allowCIDRs of the manager.',
    });
  }

  /** Name resolution that only returns allowed addresses. */
  lookupFor(port: number): LookupFunction {
    return (hostname, options, callback) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error, '', 0);
        try {
          for (const { address } of addresses) this.check(hostname, address, port);
        } catch (denied) {
          return callback(denied as Error, '', 0);
        }
        const [first] = addresses;
        if (options.all === true) return callback(null, addresses);
        return callback(null, first?.address ?? '', first?.family ?? 0);
      });
    };
  }

  /** For hosts that are addresses, which are connected to without resolution. */
  checkUrl(url: URL): void {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0) this.check(host, host, portOf(url));
  }

  /** For a target that a proxy will connect to: its addresses are checked if this machine can resolve them. Throws PERMISSION_DENIED. */
  async checkKnown(url: URL): Promise<void> {
    const addresses = await lookupAll(url.hostname, { all: true }).catch(() => []);
    for (const { address } of addresses) this.check(url.hostname, address, portOf(url));
  }

  #denial(text: string, port: number): string | undefined {
    const address = ipaddr.process(text.split('%', 1)[0] ?? '');
    if (within(address, this.#deny)) return 'the network is denied';
    if (this.#ownPorts().has(port) && isOwn(address)) return 'it is this service itself';
    if (within(address, this.#allow)) return undefined;
    return ordinaryRanges.has(address.range()) ? undefined : `${address.range()} addresses are no origins`;
  }
}

export function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

type Address = ReturnType<typeof ipaddr.process>;

function within(address: Address, cidrs: readonly string[]): boolean {
  return cidrs.some((cidr) => {
    const range = ipaddr.parseCIDR(cidr);
    return range[0].kind() === address.kind() && address.match(range);
  });
}

function isOwn(address: Address): boolean {
  if (address.range() === 'loopback' || address.range() === 'unspecified') return true;
  const text = address.toString();
  return Object.values(networkInterfaces()).some((entries) =>
    entries?.some((entry) => ipaddr.process(entry.address.split('%', 1)[0] ?? '').toString() === text),
  );
}
