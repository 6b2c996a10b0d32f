/** What hosts told of themselves, beside what the swarm needs of it; and the streams that hold them alive. */
import type { Host } from '../rpc/generated/common/v2/common.ts';
import type { HostInfo } from '../swarm/shared/events.ts';
import { defaultAnnounceIntervalMs, minAnnounceIntervalMs } from './limits.ts';

export interface KnownHost {
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

  get size(): number {
    return this.#hosts.size;
  }

  announce(host: Host, { unreachable }: { readonly unreachable: boolean }): void {
    const known = this.#hosts.get(host.id);
    const news = { host, contact: contactOf(host), unreachable };
    if (known) Object.assign(known, news);
    else this.#hosts.set(host.id, { ...news, holders: 0 });
  }

  get(hostId: string): KnownHost | undefined {
    return this.#hosts.get(hostId);
  }

  delete(hostId: string): void {
    this.#hosts.delete(hostId);
  }

  /** @param type of the protocol, 0 normal, other values seeds; undefined for all. */
  list(type?: number): Host[] {
    const hosts = [...this.#hosts.values()].map(({ host }) => host);
    return type === undefined ? hosts : hosts.filter((host) => host.type === type);
  }

  /** Forgets the hosts the swarm has dropped. */
  keepOnly(isKnown: (hostId: string) => boolean): void {
    for (const hostId of this.#hosts.keys()) if (!isKnown(hostId)) this.#hosts.delete(hostId);
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
}

export function hostInfo(host: Host, { intervalMs, loadLimit, usesSeeds }: HostSettings): HostInfo {
  return {
    hostId: host.id,
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
