import Tab from '@mui/material/Tab';
import Tabs from '@mui/material/Tabs';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { useText } from '../i18n/language.tsx';
import { PeersTable } from '../members/peers-table.tsx';
import { SchedulersTable } from '../members/schedulers-table.tsx';
import { SeedPeersTable } from '../members/seed-peers-table.tsx';
import { useMay } from '../session/use-session.ts';
import { clusterQuery, type Cluster } from './cluster-queries.ts';
import { ClusterNow } from './cluster-now.tsx';
import { ClusterSettings } from './cluster-settings.tsx';

const tabs = ['settings', 'schedulers', 'seed-peers', 'peers'] as const;
type TabName = (typeof tabs)[number];

export function ClusterPage(): ReactNode {
  const id = Number(useParams()['id']);
  const { data, error, refetch } = useQuery(clusterQuery(id));
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  return data ? <ShownCluster cluster={data} /> : <Loading />;
}

function ShownCluster({ cluster }: { readonly cluster: Cluster }): ReactNode {
  const t = useText();
  const may = useMay('clusters');
  const seesTraffic = useMay('events', 'read');
  const [params, setParams] = useSearchParams();
  const tab = tabs.find((name) => name === params.get('tab')) ?? 'settings';
  const actions = may && (
    <>
      <LinkButton to={`/clusters/${cluster.id}/edit`} variant="outlined">
        {t('common.edit')}
      </LinkButton>
      <DeleteClusterButton cluster={cluster} />
    </>
  );
  return (
    <Page
      title={cluster.name}
      about={cluster.bio}
      crumbs={[{ label: t('nav.clusters'), to: '/clusters' }]}
      actions={actions}
    >
      {seesTraffic && <ClusterNow schedulerClusterId={cluster.scheduler_cluster_id} />}
      <Tabs
        value={tab}
        onChange={(_event, next: TabName) => setParams(next === 'settings' ? {} : { tab: next })}
        variant="scrollable"
        aria-label={cluster.name}
      >
        {tabs.map((name) => (
          <Tab
            key={name}
            value={name}
            label={t(`clusters.tab.${name}`)}
            id={`tab-${name}`}
            aria-controls={`panel-${name}`}
          />
        ))}
      </Tabs>
      <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`}>
        <ClusterPanel cluster={cluster} tab={tab} />
      </div>
    </Page>
  );
}

function ClusterPanel({ cluster, tab }: { readonly cluster: Cluster; readonly tab: TabName }): ReactNode {
  switch (tab) {
    case 'settings':
      return <ClusterSettings cluster={cluster} />;
    case 'schedulers':
      return <SchedulersTable clusterId={cluster.scheduler_cluster_id} />;
    case 'seed-peers':
      return <SeedPeersTable clusterId={cluster.seed_peer_cluster_id} />;
    case 'peers':
      return <PeersTable clusterId={cluster.scheduler_cluster_id} />;
  }
}

function DeleteClusterButton({ cluster: { id, name } }: { readonly cluster: Cluster }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const remove = async (): Promise<void> => {
    await dataOf(api.DELETE('/api/v1/clusters/{id}', { params: { path: { id } } }));
    await navigate('/clusters');
    client.removeQueries({ queryKey: ['clusters', 'one', id] });
    await client.invalidateQueries({ queryKey: ['clusters'] });
  };
  return (
    <ConfirmButton
      label={t('common.delete')}
      confirmation={{
        title: t('clusters.delete', { name }),
        reach: t('clusters.deleteReach'),
        action: t('common.delete'),
        done: t('clusters.deleted', { name }),
        run: remove,
      }}
    />
  );
}
