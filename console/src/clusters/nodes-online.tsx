import type { ReactNode } from 'react';
import { useTraffic } from '../events/live-events.tsx';
import { useFormats } from '../i18n/format.ts';

/** How many nodes of a cluster its schedulers see now. A cell of its own, so that each second draws no more than it. */
export function NodesOnline({ schedulerClusterId }: { readonly schedulerClusterId: number }): ReactNode {
  const { number } = useFormats();
  const traffic = useTraffic().clusters.find(({ scheduler_cluster_id: id }) => id === schedulerClusterId);
  return traffic ? number(traffic.hosts) : '–';
}
