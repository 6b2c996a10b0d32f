/** Selects the hosts that a preheat goes to. */
import { DragonflyError } from '../../core/errors.ts';
import { HashRing } from '../../core/hash-ring.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import { isSeed } from '../hosts/host-registry.ts';

export interface TargetRequest {
  /** single_seed_peer (the default when empty), all_seed_peers or all_peers. */
  readonly scope: string;
  readonly ips: readonly string[];
  readonly count?: number | undefined;
  readonly percentage?: number | undefined;
}

/** For each task the hosts to try one after another until one succeeds. The lists are independent of each other. */
export type TargetLists = readonly (readonly Host[])[];

/**
 * `single_seed_peer`: one list, the seeds in ring order. Otherwise one list of one host each. `ips` outweighs `count`,
 * which outweighs `percentage` (rounded down, at least one host). Throws FAILED_PRECONDITION when no host is left.
 */
export function preheatTargets(
  taskId: string,
  hosts: readonly Host[],
  request: TargetRequest,
  random: () => number,
): TargetLists {
  const seeds = hosts.filter(isSeed);
  if (request.scope === '' || request.scope === 'single_seed_peer') {
    const byId = new Map(seeds.map((seed) => [seed.id, seed]));
    const ordered = new HashRing(byId.keys()).owners(taskId).flatMap((id) => byId.get(id) ?? []);
    return [notNone(ordered, 'no seed peer is announced')];
  }
  const everyone = request.scope === 'all_seed_peers' ? seeds : hosts;
  return notNone(chosen(everyone, request, random), 'no host fits the scope and the addresses').map((host) => [host]);
}

function chosen(
  hosts: readonly Host[],
  { ips, count, percentage }: TargetRequest,
  random: () => number,
): readonly Host[] {
  if (ips.length > 0) return hosts.filter((host) => ips.includes(host.ip));
  if (count === undefined && percentage === undefined) return hosts;
  const wanted = count ?? Math.max(1, Math.floor((hosts.length * (percentage ?? 100)) / 100));
  return shuffled(hosts, random).slice(0, wanted);
}

/** Random, because otherwise the same hosts would carry every partial preheat. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

function notNone<T>(items: readonly T[], problem: string): readonly T[] {
  if (items.length > 0) return items;
  throw new DragonflyError('FAILED_PRECONDITION', problem, { hint: 'ListHosts shows the hosts this scheduler knows.' });
}
