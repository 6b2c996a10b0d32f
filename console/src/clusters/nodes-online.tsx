import type { ReactNode } from 'react';
import { useNodesOnline } from '../events/live-events.tsx';
import { useFormats } from '../i18n/format.ts';

/** How many nodes of a cluster its schedulers see now. */
export function NodesOnline({ schedulerClusterId }: { readonly schedulerClusterId: number }): ReactNode {
  const { number } = useFormats();
  const hosts = useNodesOnline(schedulerClusterId);
  return hosts > 0 ? number(hosts) : '–';
}
