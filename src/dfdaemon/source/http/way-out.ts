/** Whether a request goes through the company's proxy, as far as the target's addresses are known here. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { ProxyHop } from '../../../core/net/outbound-proxy.ts';
import type { EgressPolicy } from '../egress-policy.ts';
import { knownAddressesMs, maxKnownNames, nameTimeoutMs } from '../limits.ts';

const addressesOf = new LRUCache<string, readonly string[]>({ max: maxKnownNames, ttl: knownAddressesMs });

/**
 * Undefined means a direct connection. A name that this machine can resolve is judged by all of its addresses, because
 * the proxy chooses among them; a name that only the proxy can resolve is left to the proxy. @param allow throws
 * PERMISSION_DENIED for a forbidden address.
 */
export async function wayOut(
  policy: EgressPolicy,
  url: URL,
  allow: (address: string) => void,
): Promise<ProxyHop | undefined> {
  const hop = policy.proxyFor(url);
  if (!hop) return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) ? [host] : await knownAddresses(host);
  addresses.forEach(allow);
  return addresses.length > 0 && addresses.every((address) => policy.isLoopback(address)) ? undefined : hop;
}

/** Behind such a proxy public names are often unknown, and the answer that says so is slow. */
async function knownAddresses(host: string): Promise<readonly string[]> {
  const known = addressesOf.get(host);
  if (known) return known;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve([]), nameTimeoutMs);
  });
  const found = lookup(host, { all: true }).then(
    (list) => list.map(({ address }) => address),
    () => [],
  );
  const addresses = await Promise.race([found, late]);
  clearTimeout(timer);
  addressesOf.set(host, addresses);
  return addresses;
}
