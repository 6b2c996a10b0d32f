import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type Cluster = Schemas['Cluster'];
export type ClusterBody = paths['/api/v1/clusters']['post']['requestBody']['content']['application/json'];
export type ClusterScopes = NonNullable<ClusterBody['scopes']>;
export type SchedulerClusterConfig = ClusterBody['scheduler_cluster_config'];
export type SeedPeerClusterConfig = ClusterBody['seed_peer_cluster_config'];
export type PeerClusterConfig = ClusterBody['peer_cluster_config'];
export type BlockList = NonNullable<PeerClusterConfig['block_list']>;

type ListQuery = NonNullable<paths['/api/v1/clusters']['get']['parameters']['query']>;

export function clustersQuery(query: ListQuery) {
  return queryOptions({
    queryKey: ['clusters', 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/clusters', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

/** Enough to choose from and to name clusters in other lists. */
export const allClustersQuery = clustersQuery({ per_page: 1000 });

export function clusterQuery(id: number) {
  return queryOptions({
    queryKey: ['clusters', 'one', id],
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/clusters/{id}', { params: { path: { id } }, signal })),
  });
}

/** The configuration of a cluster as it was written: the API hands back any older shape too. */
export function configOf(cluster: Cluster) {
  return {
    scopes: cluster.scopes as ClusterScopes,
    scheduler: cluster.scheduler_cluster_config as SchedulerClusterConfig,
    seedPeer: cluster.seed_peer_cluster_config as SeedPeerClusterConfig,
    peer: cluster.peer_cluster_config as PeerClusterConfig,
  };
}
