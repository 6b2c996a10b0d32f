/** Who may use the proxy: by address, then by name and password. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import { proxyLimits } from './limits.ts';

export interface AccessGuardOptions {
  /** CIDRs besides this host. */
  readonly allowedNetworks: readonly string[];
  readonly basicAuth: { readonly username: string; readonly password: string } | undefined;
}

/** `missing`: no credentials were sent; `wrong`: they are not valid; `blocked`: too many invalid ones came from this address. */
export type SignIn = 'ok' | 'missing' | 'wrong' | 'blocked';

export class AccessGuard {
  readonly #networks = new BlockList();
  readonly #anyNetwork: boolean;
  readonly #expected: Buffer | undefined;
  readonly #failures = new LRUCache<string, { count: number }>({
    max: proxyLimits.failedSignInAddresses,
    ttl: proxyLimits.failedSignInWindowMs,
  });

  constructor({ allowedNetworks, basicAuth }: AccessGuardOptions) {
    for (const cidr of allowedNetworks) {
      const [address = '', prefix = ''] = cidr.split('/');
      this.#networks.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4');
    }
    // a configuration with a password but no networks means that the password alone decides
    this.#anyNetwork = basicAuth !== undefined && allowedNetworks.length === 0;
    this.#expected = basicAuth && fingerprint(`${basicAuth.username}:${basicAuth.password}`);
  }

  /** @param local address of this end: a client with the same address runs on this host. */
  admits(remote: string | undefined, local: string | undefined): boolean {
    if (remote === undefined) return false;
    const address = plainAddress(remote);
    if (this.#anyNetwork || isLoopback(address)) return true;
    if (local !== undefined && plainAddress(local) === address) return true;
    return this.#networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }

  /** @param authorization value of Proxy-Authorization. */
  signIn(authorization: string | undefined, remote: string): SignIn {
    if (!this.#expected) return 'ok';
    if (authorization === undefined) return 'missing';
    const failures = this.#failures.get(remote);
    if (failures && failures.count >= proxyLimits.failedSignIns) return 'blocked';
    const given = basicCredentials(authorization);
    if (given !== undefined && timingSafeEqual(fingerprint(given), this.#expected)) return 'ok';
    if (failures) failures.count += 1;
    else this.#failures.set(remote, { count: 1 });
    return 'wrong';
  }
}

/** Only the exact form `Basic <base64>` counts; anything else, even a missing space, is not a credential. */
function basicCredentials(authorization: string): string | undefined {
  const match = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization);
  if (!match?.[1] || match[1].length % 4 !== 0) return undefined;
  return Buffer.from(match[1], 'base64').toString('utf8');
}

/** All fingerprints have the same length, so that comparing them takes the same time. */
function fingerprint(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
