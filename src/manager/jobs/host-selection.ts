/** Selects the hosts for a preheat. Pure. */
import { HashRing } from '../../core/hash-ring.ts';
import type { PreheatScope } from './job-types.ts';

export interface ClusterHost {
  readonly id: string;
  readonly hostname: string;
  readonly ip: string;
  /** gRPC port of the daemon. */
  readonly port: number;
  readonly seed: boolean;
  readonly clusterId: number;
}

export interface HostWish {
  readonly scope: PreheatScope;
  readonly ips: readonly string[];
  readonly count?: number | undefined;
  readonly percentage?: number | undefined;
}

/**
 * By address when given, else by number, else by share (at least one), else all; in a stable order, so that the same request
 * selects the same hosts.
 */
export function selectHosts(hosts: readonly ClusterHost[], wish: HostWish): ClusterHost[] {
  const inScope = hosts
    .filter((host) => wish.scope === 'all_peers' || host.seed)
    .toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  if (wish.ips.length > 0) return inScope.filter((host) => wish.ips.includes(host.ip));
  if (wish.count !== undefined) return inScope.slice(0, wish.count);
  if (wish.percentage === undefined || inScope.length === 0) return inScope;
  return inScope.slice(0, Math.max(1, Math.floor((inScope.length * wish.percentage) / 100)));
}

/** The seed for the task, followed by its substitutes. */
export function seedsFor(hosts: readonly ClusterHost[], taskId: string): ClusterHost[] {
  const byId = new Map(hosts.filter((host) => host.seed).map((host) => [host.id, host]));
  return new HashRing(byId.keys()).owners(taskId).flatMap((id) => byId.get(id) ?? []);
}
