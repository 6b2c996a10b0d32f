/** Members and clusters in the protocol's form. */
import type { Scheduler, SeedPeer } from '../../../gen/manager/v2/manager.ts';
import type { SchedulerCluster, SchedulerMember, SeedPeerMember } from '../clusters/topology.ts';

export function toSchedulerMessage(
  scheduler: SchedulerMember,
  cluster: SchedulerCluster,
  seedPeers: readonly SeedPeerMember[],
): Scheduler {
  return {
    ...toMemberMessage(scheduler),
    schedulerClusterId: scheduler.clusterId,
    schedulerCluster: {
      id: cluster.id,
      name: cluster.name,
      bio: cluster.bio,
      config: Buffer.from(cluster.config),
      clientConfig: Buffer.from(cluster.clientConfig),
      scopes: Buffer.from(cluster.scopesJson),
      seedClientConfig: Buffer.from(cluster.seedClientConfig),
    },
    seedPeers: seedPeers.map((seed) => toSeedPeerMessage(seed, [])),
    features: Buffer.from(JSON.stringify(scheduler.features)),
  };
}

export function toSeedPeerMessage(seed: SeedPeerMember, schedulers: Scheduler[]): SeedPeer {
  const { id, name, bio, config } = seed.cluster;
  return {
    ...toMemberMessage(seed),
    type: seed.type,
    downloadPort: seed.downloadPort,
    seedPeerClusterId: seed.clusterId,
    seedPeerCluster: { id, name, bio, config: Buffer.from(config) },
    schedulers,
  };
}

function toMemberMessage(member: SchedulerMember | SeedPeerMember) {
  return {
    id: member.id,
    hostname: member.hostname,
    ip: member.ip,
    port: member.port,
    state: member.state,
    // The protocol's validators reject empty optional texts.
    ...(member.idc === '' ? {} : { idc: member.idc }),
    ...(member.location === '' ? {} : { location: member.location }),
  };
}
