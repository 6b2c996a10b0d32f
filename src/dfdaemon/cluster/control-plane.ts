/**
 * The services of this cluster that this daemon knows: managers, schedulers, and its own ports. No request to an origin
 * may be directed at them, because otherwise any caller that can name a URL could talk to them in this node's name.
 * Only these services may give this node work.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Metadata } from '@grpc/grpc-js';
import type { Logger } from '../../core/process/logger.ts';
import { isOwnAddress, plainAddress } from '../../core/net/own-address.ts';
import { controlPortsHeader, toldKeys, toldPorts } from '../../rpc/control-key.ts';

type Kind = 'manager' | 'schedulers';
export type ControlRole = 'scheduler' | 'manager';

interface Service {
  readonly host: string;
  readonly port: number;
  /** The addresses of its host that have been resolved so far. */
  addresses: readonly string[];
  /** The public keys it has sent; empty for a service of the original, and for one that has not been reached yet. */
  keys: readonly string[];
  heard: boolean;
  /** Further ports of its machine, as it reports them, that must not be used as origins. */
  ports: readonly number[];
}

export class ControlPlane {
  readonly #logger: Logger;
  /** Keyed by the address that is configured or listed. */
  readonly #services: Readonly<Record<Kind, Map<string, Service>>> = { manager: new Map(), schedulers: new Map() };
  /** The addresses that each port of this daemon is open at. */
  readonly #ownPorts = new Map<number, Set<string>>();
  /** The cluster of the schedulers; 0 until a manager has named it. */
  clusterId = 0;
  #news = Promise.withResolvers<void>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Replaces what was known of the service. Resolves when its names have been looked up; never rejects. */
  async update(kind: Kind, addresses: readonly string[]): Promise<void> {
    const services = this.#services[kind];
    for (const address of services.keys()) if (!addresses.includes(address)) services.delete(address);
    const resolving: Promise<void>[] = [];
    for (const address of addresses) {
      const place = parse(address);
      if (!place) continue;
      const { host, port } = place;
      const isNumeric = isIP(host) !== 0;
      const service = services.get(address) ?? {
        host,
        port,
        addresses: isNumeric ? [host] : [],
        keys: [],
        heard: false,
        ports: [],
      };
      services.set(address, service);
      if (!isNumeric) resolving.push(this.#resolve(service));
    }
    await Promise.all(resolving);
  }

  /** @param address that the port is bound to; the same port at another address of this host may belong to another program. */
  addOwnPort(port: number, address: string): void {
    const addresses = this.#ownPorts.get(port) ?? new Set();
    this.#ownPorts.set(port, addresses.add(address));
  }

  /** Reads the metadata of a service's response; ignores unknown services. */
  heard(address: string, metadata: Metadata): void {
    for (const services of Object.values(this.#services)) {
      const service = services.get(address);
      if (!service) continue;
      service.heard = true;
      service.keys = toldKeys(metadata);
      if (metadata.get(controlPortsHeader).length > 0) service.ports = toldPorts(metadata);
      this.#news.resolve();
      this.#news = Promise.withResolvers();
    }
  }

  /** Resolves when the next response of a service has been read. */
  get news(): Promise<void> {
    return this.#news.promise;
  }

  includes(address: string, port: number): boolean {
    for (const service of this.#all())
      if ((service.port === port || service.ports.includes(port)) && service.addresses.includes(address)) return true;
    const bound = [...(this.#ownPorts.get(port) ?? [])];
    return bound.some((own) => own === address || isAny(address) || isAny(own)) && isOwnAddress(address);
  }

  /** A scheduler that has answered without a key is one of the original, which does not know tickets. */
  get hasKeylessScheduler(): boolean {
    return [...this.#services.schedulers.values()].some(({ keys, heard }) => heard && keys.length === 0);
  }

  /** The role of the key's holder; a scheduler vouches for its manager. */
  roleOfKey(key: string): ControlRole | undefined {
    for (const { keys } of this.#services.schedulers.values()) if (keys[0] === key) return 'scheduler';
    for (const { keys } of this.#all()) if (keys.includes(key)) return 'manager';
    return undefined;
  }

  /** The role of the service at this address if it has shown no key; a manager takes precedence over a scheduler on the same machine. */
  roleAt(address: string): ControlRole | undefined {
    if (this.#servesWithoutKey('manager', address)) return 'manager';
    return this.#servesWithoutKey('schedulers', address) ? 'scheduler' : undefined;
  }

  #servesWithoutKey(kind: Kind, address: string): boolean {
    const plain = plainAddress(address);
    return [...this.#services[kind].values()].some(
      ({ addresses, keys }) => keys.length === 0 && addresses.includes(plain),
    );
  }

  #all(): Service[] {
    return Object.values(this.#services).flatMap((services) => [...services.values()]);
  }

  async #resolve(service: Service): Promise<void> {
    const { host } = service;
    try {
      service.addresses = (await lookup(host, { all: true })).map(({ address }) => address);
    } catch (error) {
      this.#logger.warn({ host, error: (error as Error).message }, 'a service of the cluster has no address');
    }
  }
}

/** Addresses are normalised to the shortest form, which is the form that sockets report. */
function parse(address: string): { host: string; port: number } | undefined {
  if (address.startsWith('unix:') || !URL.canParse(`http://${address}`)) return undefined;
  const { hostname, port } = new URL(`http://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) };
}

/** A name may resolve to the wildcard address, too. */
function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || isIP(address) === 0;
}
