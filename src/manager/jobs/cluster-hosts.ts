/** The hosts of a cluster, as its schedulers currently know them. */
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { hostPort } from '../../core/net/host-port.ts';
import type { Channels } from '../../rpc/channels.ts';
import { createClient } from '../../rpc/client.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import { SchedulerDefinition, type ListHostsResponse } from '../../../gen/scheduler/v2/scheduler.ts';
import type { SchedulerCluster, Topology } from '../clusters/topology.ts';
import type { ClusterHost } from './host-selection.ts';

/** Listing ten thousand hosts takes a scheduler some time. */
const listTimeoutMs = 30_000;

export class ClusterHosts {
  readonly #topology: Topology;
  readonly #channels: Channels;

  constructor(topology: Topology, channels: Channels) {
    this.#topology = topology;
    this.#channels = channels;
  }

  /** The clusters with these ids, all when the list is empty. Throws NOT_FOUND. */
  async clusters(ids: readonly number[]): Promise<SchedulerCluster[]> {
    const { clusters } = await this.#topology.current();
    if (ids.length === 0) return [...clusters.values()];
    return ids.map((id) => {
      const cluster = clusters.get(id);
      if (!cluster) throw new DragonflyError('NOT_FOUND', `there is no cluster ${id}`);
      return cluster;
    });
  }

  /** Every host that any scheduler of the cluster knows. Throws UNAVAILABLE when none of them answers. */
  async list(cluster: SchedulerCluster, signal: AbortSignal): Promise<Host[]> {
    const hosts = (await this.#ask(cluster, signal)).flatMap((answer) => answer.hosts);
    // Peers never cross clusters; a daemon that names no cluster belongs to the one to which it announced itself.
    const own = hosts.filter((host) => host.schedulerClusterId === 0 || host.schedulerClusterId === cluster.id);
    return [...new Map(own.map((host) => [host.id, host])).values()];
  }

  /** How proxies name registry blobs: by URL, if they were last seen pulling one that way. */
  async blobsByUrl(clusterIds: readonly number[], signal: AbortSignal): Promise<boolean> {
    for (const cluster of await this.clusters(clusterIds)) {
      if (cluster.schedulers.length === 0) continue;
      const told = (await this.#ask(cluster, signal)).find(({ blobsByUrl }) => blobsByUrl !== undefined);
      if (told) return told.blobsByUrl === true;
    }
    return false;
  }

  async #ask(cluster: SchedulerCluster, signal: AbortSignal): Promise<ListHostsResponse[]> {
    const { schedulers } = cluster;
    if (schedulers.length === 0) {
      throw new DragonflyError('UNAVAILABLE', `cluster ${cluster.name} has no active scheduler`, {
        hint: 'Start a scheduler of the cluster.',
      });
    }
    const answers = await Promise.allSettled(
      schedulers.map(({ ip, port }) => {
        const address = hostPort(ip, port);
        const client = createClient(SchedulerDefinition, this.#channels, address);
        return client.listHosts({}, { signal, timeoutMs: listTimeoutMs });
      }),
    );
    const answered = answers.filter((answer) => answer.status === 'fulfilled');
    if (answered.length === 0) {
      const [first] = answers;
      throw toDragonflyError(first?.status === 'rejected' ? first.reason : new Error('no answer'));
    }
    return answered.map(({ value }) => value);
  }

  /** Like `list`, plus seed peers that registered here but are unknown to the schedulers. */
  async listReachable(cluster: SchedulerCluster, signal: AbortSignal): Promise<ClusterHost[]> {
    const hosts = (await this.list(cluster, signal)).map((host) => toClusterHost(host, cluster.id));
    const known = new Set(hosts.map(({ ip, port }) => `${ip} ${port}`));
    const registered = cluster.seedPeers
      .filter(({ ip, port }) => !known.has(`${ip} ${port}`))
      .map(({ hostname, ip, port }) => ({
        id: `${ip}-${hostname}-seed`,
        hostname,
        ip,
        port,
        seed: true,
        clusterId: cluster.id,
      }));
    return [...hosts, ...registered];
  }
}

function toClusterHost({ id, hostname, ip, port, type }: Host, clusterId: number): ClusterHost {
  return { id, hostname, ip, port, seed: type !== 0, clusterId };
}
