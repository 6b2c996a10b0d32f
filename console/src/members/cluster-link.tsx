import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { allClustersQuery, type Cluster } from '../clusters/cluster-queries.ts';
import { TextLink } from '../components/text-link.tsx';

interface ClusterLinkProps {
  readonly id: number;
  /** Which half of the cluster the id is of. */
  readonly half?: 'scheduler_cluster_id' | 'seed_peer_cluster_id';
}

/** A cluster by its name, once that is known. */
export function ClusterLink({ id, half = 'scheduler_cluster_id' }: ClusterLinkProps): ReactNode {
  const { data } = useQuery(allClustersQuery);
  const cluster = data?.rows.find((one: Cluster) => one[half] === id);
  return cluster ? <TextLink to={`/clusters/${cluster.id}`}>{cluster.name}</TextLink> : id;
}
