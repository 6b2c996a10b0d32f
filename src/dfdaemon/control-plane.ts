/**
 * Where the services of this cluster listen: managers, schedulers and this daemon itself. No request for an origin may
 * lead there, or whoever may name a URL could talk to them in the name of this node.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Logger } from '../core/logger.ts';
import { isOwnAddress, plainAddress } from '../core/own-address.ts';

export class ControlPlane {
  readonly #logger: Logger;
  /** `address:port`, by the service whose list it is. */
  readonly #endpoints = new Map<string, ReadonlySet<string>>();
  /** The addresses that each port of this daemon is open at. */
  readonly #ownPorts = new Map<number, Set<string>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Takes the place of what was known of the service. Names are resolved now; resolves when they are. Never rejects. */
  async update(service: 'manager' | 'schedulers', addresses: readonly string[]): Promise<void> {
    const parsed = addresses.flatMap((address) => parse(address) ?? []);
    const numeric = parsed.filter(({ host }) => isIP(host) !== 0).map(({ host, port }) => `${host}:${port}`);
    const before = this.#endpoints.get(service) ?? [];
    this.#endpoints.set(service, new Set([...before, ...numeric])); // until names are resolved, what was known holds
    const named = await Promise.all(parsed.filter(({ host }) => isIP(host) === 0).map((name) => this.#resolve(name)));
    this.#endpoints.set(service, new Set([...numeric, ...named.flat()]));
  }

  /** @param address that the port is bound to; the same number at another address of this host may be anybody's. */
  addOwnPort(port: number, address: string): void {
    const addresses = this.#ownPorts.get(port) ?? new Set();
    this.#ownPorts.set(port, addresses.add(address));
  }

  includes(address: string, port: number): boolean {
    const endpoint = `${address}:${port}`;
    if ([...this.#endpoints.values()].some((endpoints) => endpoints.has(endpoint))) return true;
    const bound = [...(this.#ownPorts.get(port) ?? [])];
    return bound.some((own) => own === address || isAny(address) || isAny(own)) && isOwnAddress(address);
  }

  /** What serves at this address; a manager outweighs a scheduler beside it. */
  roleAt(address: string): 'scheduler' | 'manager' | undefined {
    const plain = plainAddress(address);
    const serves = (service: 'manager' | 'schedulers'): boolean =>
      [...(this.#endpoints.get(service) ?? [])].some(
        (endpoint) => endpoint.slice(0, endpoint.lastIndexOf(':')) === plain,
      );
    if (serves('manager')) return 'manager';
    return serves('schedulers') ? 'scheduler' : undefined;
  }

  async #resolve({ host, port }: { host: string; port: number }): Promise<string[]> {
    try {
      return (await lookup(host, { all: true })).map(({ address }) => `${address}:${port}`);
    } catch (error) {
      this.#logger.warn({ host, error: (error as Error).message }, 'a service of the cluster has no address');
      return [];
    }
  }
}

/** Addresses come out in their shortest form, as sockets name them. */
function parse(address: string): { host: string; port: number } | undefined {
  if (address.startsWith('unix:') || !URL.canParse(`http://${address}`)) return undefined;
  const { hostname, port } = new URL(`http://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) };
}

/** A name may stand for any address, too. */
function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || isIP(address) === 0;
}
