/** What goes on in a cluster this second, and what its peers spared the origin. */
import Card from '@mui/material/Card';
import type { ReactNode } from 'react';
import { Facts } from '../components/facts.tsx';
import { useTraffic } from '../events/live-events.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';

/** Dashes while no scheduler of the cluster tells: nothing moves when the first figures come. */
export function ClusterNow({ schedulerClusterId }: { readonly schedulerClusterId: number }): ReactNode {
  const t = useText();
  const { number, bytes, percent } = useFormats();
  const traffic = useTraffic()?.clusters.find(({ scheduler_cluster_id: id }) => id === schedulerClusterId);
  const moved = traffic ? traffic.origin_bytes + traffic.peer_bytes : 0;
  return (
    <Card component="section" aria-label={t('clusters.now')} sx={{ p: { xs: 2, sm: 2.5 } }}>
      <Facts
        facts={[
          { name: t('overview.hosts'), value: traffic && number(traffic.hosts) },
          { name: t('overview.running'), value: traffic && number(traffic.peers_running) },
          { name: t('overview.fromPeers'), value: traffic && bytes(traffic.peer_bytes) },
          { name: t('overview.fromOrigin'), value: traffic && bytes(traffic.origin_bytes) },
          { name: t('overview.saved'), value: traffic && moved > 0 ? percent(traffic.peer_bytes / moved) : '–' },
        ]}
      />
    </Card>
  );
}
