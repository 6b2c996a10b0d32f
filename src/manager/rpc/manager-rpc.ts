/** manager.v2.Manager: registration, lookup and liveness of cluster members. */
import { DragonflyError } from '../../core/errors.ts';
import { onAbort } from '../../core/process/lifecycle.ts';
import { hostId } from '../../core/ids.ts';
import { isOwnAddress } from '../../core/net/own-address.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import {
  type ListSchedulersRequest,
  type ManagerDefinition,
  SourceType,
  type KeepAliveRequest,
} from '../../../gen/manager/v2/manager.ts';
import { requireSpeaksFor, type Claim } from '../../rpc/rights.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { KeepAlive, KeepAlives } from '../clusters/keep-alives.ts';
import type { Members } from '../clusters/members.ts';
import type { Searcher } from '../clusters/searcher.ts';
import type {
  SchedulerCluster,
  SchedulerMember,
  SeedPeerMember,
  Topology,
  TopologySnapshot,
} from '../clusters/topology.ts';
import type { Newcomers } from './newcomers.ts';
import { toSchedulerMessage, toSeedPeerMessage } from './messages.ts';
import type { SearchMetrics } from '../metrics.ts';
import type { MemberReader } from '../clusters/member-reader.ts';

export interface ManagerRpcParts {
  readonly topology: Topology;
  readonly members: Members;
  readonly reader: MemberReader;
  readonly keepAlives: KeepAlives;
  readonly searcher: Searcher;
  readonly metrics: SearchMetrics;
  /** Members without certificates may also register addresses other than those they call from. */
  readonly anyAddress: boolean;
  readonly newcomers: Newcomers;
  /** A member that is silent for longer loses its stream. */
  readonly silenceMs: number;
}

export function managerRpc(parts: ManagerRpcParts): Handlers<typeof ManagerDefinition> {
  const { topology, members, reader } = parts;
  return {
    getSeedPeer: async ({ hostname, ip, seedPeerClusterId }) => {
      const member = await reader.seedPeer({ hostname, ip, clusterId: seedPeerClusterId });
      const schedulers = clustersOfSeedPeers(await topology.current(), seedPeerClusterId).flatMap((cluster) =>
        cluster.schedulers.map((scheduler) => toSchedulerMessage(scheduler, cluster, [])),
      );
      return toSeedPeerMessage(member, schedulers);
    },

    listSeedPeers: async ({ hostname, ip }) => {
      const { clusters } = await topology.current();
      const all = new Map(
        [...clusters.values()].flatMap((cluster) => cluster.seedPeers.map((seed) => [seed.id, seed])),
      );
      const own = [...all.values()].filter((seed) => seed.hostname === hostname && seed.ip === ip);
      const ids = new Set(own.map((seed) => seed.clusterId));
      const seedPeers = [...all.values()].filter((seed) => ids.has(seed.clusterId));
      if (seedPeers.length === 0) {
        throw new DragonflyError('NOT_FOUND', `${hostname} (${ip}) is not an active seed peer of any cluster`, {
          hint: 'Only seed peers that have registered may list their fellows.',
        });
      }
      return { seedPeers: seedPeers.map((seed) => toSeedPeerMessage(seed, [])) };
    },

    updateSeedPeer: async (request, context) => {
      requireMember(parts, context, seedClaim({ ...request, clusterId: request.seedPeerClusterId }));
      const key = { hostname: request.hostname, ip: request.ip, clusterId: request.seedPeerClusterId };
      await parts.newcomers.admit('seed_peer', key, context);
      await members.registerSeedPeer({
        ...key,
        type: request.type,
        port: request.port,
        downloadPort: request.downloadPort,
        idc: request.idc ?? '',
        location: request.location ?? '',
      });
      return toSeedPeerMessage(await reader.seedPeer(key), []);
    },

    deleteSeedPeer: async ({ hostname, ip, seedPeerClusterId }, context) => {
      requireMember(parts, context, seedClaim({ hostname, ip, clusterId: seedPeerClusterId }));
      if (await members.deleteSeedPeer({ hostname, ip, clusterId: seedPeerClusterId })) return {};
      throw new DragonflyError('NOT_FOUND', `cluster ${seedPeerClusterId} has no seed peer ${hostname} (${ip})`);
    },

    getScheduler: async ({ hostname, ip, schedulerClusterId }) =>
      schedulerMessage(await reader.scheduler({ hostname, ip, clusterId: schedulerClusterId }), topology),

    updateScheduler: async (request, context) => {
      requireMember(parts, context, schedulerClaim({ ...request, clusterId: request.schedulerClusterId }));
      const key = { hostname: request.hostname, ip: request.ip, clusterId: request.schedulerClusterId };
      await parts.newcomers.admit('scheduler', key, context);
      await members.registerScheduler({
        ...key,
        port: request.port,
        idc: request.idc ?? '',
        location: request.location ?? '',
        features: request.features,
        config: Buffer.from(request.config).toString('utf8'),
      });
      return schedulerMessage(await reader.scheduler(key), topology);
    },

    listSchedulers: async (request) => {
      const found = search(await topology.current(), request, parts.searcher);
      parts.metrics.searched(request.version, request.commit, found.length > 0);
      if (found.length === 0) {
        throw new DragonflyError('NOT_FOUND', 'no scheduler is active', {
          hint: 'Start a scheduler of the cluster, and check that it reaches the manager.',
        });
      }
      return {
        schedulers: found.flatMap((cluster) =>
          usableSchedulers(cluster).map((scheduler) => toSchedulerMessage(scheduler, cluster, cluster.seedPeers)),
        ),
      };
    },

    listApplications: async () => {
      const { applications } = await topology.current();
      if (applications.length === 0) throw new DragonflyError('NOT_FOUND', 'there is no application');
      return {
        applications: applications.map(({ priority, ...application }) => ({
          ...application,
          priority: {
            value: priority.value as 0,
            urls: priority.urls.map(({ regex, value }) => ({ regex, value: value as 0 })),
          },
        })),
      };
    },

    keepAlive: (requests, context) => keepAlive(parts, requests, context),
  };
}

/** Clusters a daemon may use, best first: the one it names, or all with a usable scheduler. */
function search(snapshot: TopologySnapshot, request: ListSchedulersRequest, searcher: Searcher): SchedulerCluster[] {
  const usable = [...snapshot.clusters.values()].filter((cluster) => usableSchedulers(cluster).length > 0);
  if (request.schedulerClusterId !== 0) return usable.filter((cluster) => cluster.id === request.schedulerClusterId);
  return searcher.search(usable, request);
}

function usableSchedulers(cluster: SchedulerCluster): SchedulerMember[] {
  return cluster.schedulers.filter((scheduler) => scheduler.features.includes('schedule'));
}

function clustersOfSeedPeers(snapshot: TopologySnapshot, seedPeerClusterId: number): SchedulerCluster[] {
  return [...snapshot.clusters.values()].filter((cluster) =>
    cluster.seedPeers.some((seed: SeedPeerMember) => seed.clusterId === seedPeerClusterId),
  );
}

async function schedulerMessage(scheduler: SchedulerMember, topology: Topology) {
  const cluster = (await topology.current()).clusters.get(scheduler.clusterId);
  if (!cluster) throw new DragonflyError('NOT_FOUND', `there is no scheduler cluster ${scheduler.clusterId}`);
  return toSchedulerMessage(scheduler, cluster, cluster.seedPeers);
}

/** Ends when the member ends it or falls silent, or the manager shuts down. */
async function keepAlive(
  parts: ManagerRpcParts,
  requests: AsyncIterable<KeepAliveRequest>,
  context: CallContext,
): Promise<Record<string, never>> {
  const { keepAlives, silenceMs } = parts;
  const messages = requests[Symbol.asyncIterator]();
  let live: KeepAlive | undefined;
  try {
    for (;;) {
      const next = await nextMessage(messages, context.draining, silenceMs);
      if (next === undefined) return {};
      requireMember(
        parts,
        context,
        next.sourceType === SourceType.SCHEDULER_SOURCE ? schedulerClaim(next) : seedClaim(next),
      );
      live ??= await keepAlives.open(memberKind(next.sourceType), { ...next, clusterId: next.clusterId });
      live.beat();
    }
  } finally {
    await live?.end();
  }
}

/**
 * A member is identified by its certificate or, without certificates, by its own address, so that it cannot redirect
 * the cluster to another host. Throws PERMISSION_DENIED.
 */
function requireMember({ anyAddress }: ManagerRpcParts, context: CallContext, claim: MemberClaim): void {
  requireSpeaksFor(context, claim);
  const { caller, peerHost } = context;
  if (anyAddress || (caller.kind === 'member' && caller.proof === 'certificate') || caller.kind === 'local') return;
  if (claim.ip === peerHost || (caller.onThisMachine && isOwnAddress(claim.ip))) return;
  throw new DragonflyError('PERMISSION_DENIED', `${peerHost} may not register ${claim.ip}, which is not its address`, {
    hint: 'Give it a certificate (security.autoIssueCert), or set security.registerFromAnyAddress of the manager where addresses are translated.',
  });
}

interface MemberClaim extends Claim {
  readonly ip: string;
}

interface Place {
  readonly clusterId: number;
  readonly hostname: string;
  readonly ip: string;
}

function schedulerClaim({ hostname, ip, clusterId }: Place): MemberClaim {
  return { ip, clusterId, hostId: `${ip}-${hostname}`, roles: ['scheduler'] };
}

function seedClaim({ hostname, ip, clusterId }: Place): MemberClaim {
  return { ip, clusterId, hostId: hostId(ip, hostname, true), roles: ['seed'] };
}

function memberKind(source: SourceType): 'scheduler' | 'seed_peer' {
  if (source === SourceType.SCHEDULER_SOURCE) return 'scheduler';
  if (source === SourceType.SEED_PEER_SOURCE) return 'seed_peer';
  throw new DragonflyError('INVALID_ARGUMENT', 'only schedulers and seed peers keep alive at the manager');
}

/** Undefined at the end of the stream. Throws DEADLINE_EXCEEDED on silence, UNAVAILABLE when the server drains. */
async function nextMessage<T>(
  messages: AsyncIterator<T>,
  draining: AbortSignal,
  silenceMs: number,
): Promise<T | undefined> {
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new DragonflyError('DEADLINE_EXCEEDED', `no keepalive for ${silenceMs} ms`)),
    silenceMs,
  );
  using _listening = onAbort(draining, () => reject(new DragonflyError('UNAVAILABLE', 'the manager is shutting down')));
  try {
    const result = await Promise.race([messages.next(), interrupted]);
    return result.done === true ? undefined : result.value;
  } finally {
    clearTimeout(timer);
  }
}
