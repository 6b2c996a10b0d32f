/** What hosts told of themselves, beside what the swarm needs of it; and the streams that hold them alive. */
import type { Host } from '../../../gen/common/v2/common.ts';
import type { HostInfo } from '../../swarm/shared/events.ts';
import { defaultAnnounceIntervalMs, minAnnounceIntervalMs } from '../limits.ts';

/** Who speaks for a host. */
export interface HostOwner {
  /** It has shown a certificate. */
  readonly isCertified: boolean;
  /** Where it calls from; empty for this machine. */
  readonly address: string;
}

export interface KnownHost {
  owner: HostOwner;
  /** As announced last. */
  host: Host;
  /** The part that other peers need to reach it; shared by all answers that name the host. */
  contact: Host;
  /** Other nodes cannot connect to it at the address it tells. */
  unreachable: boolean;
  /** Streams by which the daemon holds itself known; usually one, two for a moment when it reconnects. */
  holders: number;
}

export class HostRegistry {
  readonly #hosts = new Map<string, KnownHost>();
  /** How many hosts were announced from there. */
  readonly #addresses = new Map<string, number>();

  announce(host: Host, { unreachable, owner }: Pick<KnownHost, 'unreachable' | 'owner'>): void {
    const known = this.#hosts.get(host.id);
    const news = { host, contact: contactOf(host), unreachable, owner };
    if (known) this.#count(known.owner.address, -1);
    this.#count(owner.address, 1);
    if (known) Object.assign(known, news);
    else this.#hosts.set(host.id, { ...news, holders: 0 });
  }

  /** Some host was announced from there. */
  isKnownAddress(address: string): boolean {
    return this.#addresses.has(address);
  }

  #count(address: string, change: number): void {
    const count = (this.#addresses.get(address) ?? 0) + change;
    if (count > 0) this.#addresses.set(address, count);
    else this.#addresses.delete(address);
  }

  get(hostId: string): KnownHost | undefined {
    return this.#hosts.get(hostId);
  }

  delete(hostId: string): void {
    const known = this.#hosts.get(hostId);
    if (known) this.#count(known.owner.address, -1);
    this.#hosts.delete(hostId);
  }

  /** @param type of the protocol, 0 normal, other values seeds; undefined for all. */
  list(type?: number): Host[] {
    const hosts = [...this.#hosts.values()].map(({ host }) => host);
    return type === undefined ? hosts : hosts.filter((host) => host.type === type);
  }

  /** Forgets the hosts the swarm has dropped. @returns them. */
  keepOnly(isKnown: (hostId: string) => boolean): string[] {
    const dropped = [...this.#hosts.keys()].filter((hostId) => !isKnown(hostId));
    for (const hostId of dropped) this.delete(hostId);
    return dropped;
  }
}

export function isSeed(host: Host): boolean {
  return host.type !== 0;
}

export interface HostSettings {
  readonly intervalMs: number | undefined;
  /** Children at once, from the dynamic configuration. */
  readonly loadLimit: number | undefined;
  /** Otherwise a seed is a peer like any other. */
  readonly usesSeeds: boolean;
  readonly owner: HostOwner;
}

export function hostInfo(host: Host, { intervalMs, loadLimit, usesSeeds, owner }: HostSettings): HostInfo {
  return {
    hostId: host.id,
    // Whoever has shown nothing may call himself by many names.
    witness: owner.isCertified || owner.address === '' ? undefined : owner.address,
    type: isSeed(host) && usesSeeds ? 'seed' : 'normal',
    idc: host.network?.idc ?? '',
    location: host.network?.location ?? '',
    loadLimit,
    maxTxBitsPerSec: host.network?.maxTxBandwidth ?? 0,
    disableShared: host.disableShared,
    announceIntervalMs: Math.max(minAnnounceIntervalMs, intervalMs ?? defaultAnnounceIntervalMs),
  };
}

/** Load figures and build details are long and no peer asks for them. */
function contactOf(host: Host): Host {
  const { idc, location, maxTxBandwidth = 0 } = host.network ?? {};
  return {
    ...host,
    os: '',
    platform: '',
    platformFamily: '',
    platformVersion: '',
    kernelVersion: '',
    cpu: undefined,
    memory: undefined,
    disk: undefined,
    build: undefined,
    network: {
      tcpConnectionCount: 0,
      uploadTcpConnectionCount: 0,
      maxRxBandwidth: 0,
      maxTxBandwidth,
      ...(idc === undefined ? {} : { idc }),
      ...(location === undefined ? {} : { location }),
    },
  };
}
