/** What hosts report about themselves beyond what the swarm needs, and the streams that hold them alive. */
import { Host as HostMessage, type Host } from '../../../gen/common/v2/common.ts';
import { DragonflyError } from '../../core/errors.ts';
import type { HostInfo } from '../../swarm/shared/events.ts';
import {
  callerShare,
  costPerByte,
  defaultAnnounceIntervalMs,
  hostCostBytes,
  minAnnounceIntervalMs,
} from '../limits.ts';

/** Who speaks for a host. */
export interface HostOwner {
  /** True when it has presented a certificate. */
  readonly isCertified: boolean;
  /** The address it calls from; empty for this machine. */
  readonly address: string;
}

export interface KnownHost {
  owner: HostOwner;
  /** Somebody else has told of it, and it has not said a word itself: see introduced-hosts.ts. */
  introduced: boolean;
  /** As announced last. */
  host: Host;
  /** The fields that other peers need to reach it; shared by all answers that name the host. */
  contact: Host;
  /** True when other nodes cannot connect to the address it announces. */
  unreachable: boolean;
  /** The number of streams by which the daemon holds itself known: usually one, two for a moment when it reconnects. */
  holders: number;
  /** The estimated memory it takes to know this host. */
  bytes: number;
}

export interface Announced {
  readonly owner: HostOwner;
  readonly unreachable: boolean;
  /** By somebody else; false by default. */
  readonly introduced?: boolean;
}

export interface HostBudget {
  /** For all hosts. */
  readonly totalBytes: number;
  readonly hosts: number;
}

/** What one address has brought without a certificate; it is limited. */
interface Brought {
  readonly hostIds: Set<string>;
  bytes: number;
}

export class HostRegistry {
  readonly #hosts = new Map<string, KnownHost>();
  /** Keyed by the address that the hosts were announced from. */
  readonly #brought = new Map<string, Brought>();
  readonly #budget: HostBudget;
  #bytes = 0;

  constructor(budget: HostBudget = { totalBytes: Infinity, hosts: Infinity }) {
    this.#budget = budget;
  }

  /**
   * Throws RESOURCE_EXHAUSTED when there is no room for what the host reports: all hosts together, or those that come
   * without a certificate from one address, have reported too much or are too many.
   */
  requireRoom(host: Host, { isCertified, address }: HostOwner): void {
    const known = this.#hosts.get(host.id);
    const { totalBytes, hosts } = this.#budget;
    const bytes = costOf(host);
    if (this.#bytes - (known?.bytes ?? 0) + bytes > totalBytes)
      throw exhausted(`this scheduler knows ${this.#hosts.size} hosts`);
    if (isCertified) return; // it speaks for one host
    const brought = this.#brought.get(address);
    const own = brought?.hostIds.has(host.id) === true ? known : undefined;
    const others = (brought?.bytes ?? 0) - (own?.bytes ?? 0);
    const isTooMany = !own && (brought?.hostIds.size ?? 0) >= hosts * callerShare;
    if (isTooMany || others + bytes > totalBytes * callerShare)
      throw exhausted(`${address || 'this machine'} has announced as many hosts as it may`);
  }

  /** The hosts that were announced from this address. */
  from(address: string): Iterable<string> {
    return this.#brought.get(address)?.hostIds ?? [];
  }

  announce(host: Host, { unreachable, owner, introduced = false }: Announced): void {
    const known = this.#hosts.get(host.id);
    const bytes = costOf(host);
    const news = { host, contact: contactOf(host), unreachable, owner, introduced, bytes };
    if (known) this.#forget(known);
    this.#bytes += bytes;
    const brought = this.#brought.get(owner.address) ?? { hostIds: new Set(), bytes: 0 };
    brought.hostIds.add(host.id);
    brought.bytes += bytes;
    this.#brought.set(owner.address, brought);
    if (known) Object.assign(known, news);
    else this.#hosts.set(host.id, { ...news, holders: 0 });
  }

  /** Some host was announced from there; one that others told of does not count. */
  isKnownAddress(address: string): boolean {
    for (const hostId of this.from(address)) if (this.#hosts.get(hostId)?.introduced === false) return true;
    return false;
  }

  #forget({ host, owner, bytes }: KnownHost): void {
    this.#bytes -= bytes;
    const brought = this.#brought.get(owner.address);
    if (!brought?.hostIds.delete(host.id)) return;
    brought.bytes -= bytes;
    if (brought.hostIds.size === 0) this.#brought.delete(owner.address);
  }

  get(hostId: string): KnownHost | undefined {
    return this.#hosts.get(hostId);
  }

  delete(hostId: string): void {
    const known = this.#hosts.get(hostId);
    if (known) this.#forget(known);
    this.#hosts.delete(hostId);
  }

  /** @param type of the protocol: 0 is a normal host, other values are seeds, undefined is all. */
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
  /** How many children it serves at once, from the dynamic configuration. */
  readonly loadLimit: number | undefined;
  /** When false, a seed is a peer like any other. */
  readonly usesSeeds: boolean;
  readonly owner: HostOwner;
}

export function hostInfo(host: Host, { intervalMs, loadLimit, usesSeeds, owner }: HostSettings): HostInfo {
  return {
    hostId: host.id,
    // A host that has not identified itself may use many names, so only its address counts as a witness.
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

/** A multiple of the message's size, since it is kept in several forms. */
function costOf(host: Host): number {
  return hostCostBytes + costPerByte * HostMessage.encode(host).finish().length;
}

function exhausted(message: string): DragonflyError {
  return new DragonflyError('RESOURCE_EXHAUSTED', message, {
    hint: 'Raise scheduler.stateMemory, with --max-old-space-size of the process, or run more schedulers.',
  });
}

/** Leaves out load figures and build details, which are long and which no peer needs. */
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
