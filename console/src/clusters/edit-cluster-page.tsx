import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate, useParams } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { useForm } from '../components/use-form.ts';
import { useNotify } from '../components/toasts.tsx';
import { useText } from '../i18n/language.tsx';
import { ClusterFields } from './cluster-fields.tsx';
import { bodyOf, problemsOf, valuesOf, type ClusterValues } from './cluster-form.ts';
import { clusterQuery, type Cluster } from './cluster-queries.ts';

export function EditClusterPage(): ReactNode {
  const id = Number(useParams()['id']);
  const { data, error, refetch } = useQuery(clusterQuery(id));
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  return data ? <EditCluster cluster={data} /> : <Loading />;
}

function EditCluster({ cluster }: { readonly cluster: Cluster }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const notify = useNotify();
  const { id } = cluster;
  const back = `/clusters/${id}`;
  const save = async (values: ClusterValues): Promise<void> => {
    await dataOf(api.PATCH('/api/v1/clusters/{id}', { params: { path: { id } }, body: bodyOf(values, cluster) }));
    await client.invalidateQueries({ queryKey: ['clusters'] });
    notify.done(t('common.saved'));
    await navigate(back);
  };
  const form = useForm({ initial: valuesOf(cluster), check: (values) => problemsOf(values, t), send: save });
  const crumbs = [
    { label: t('nav.clusters'), to: '/clusters' },
    { label: cluster.name, to: back },
  ];
  return (
    <Page title={t('clusters.edit', { name: cluster.name })} crumbs={crumbs}>
      <ClusterFields form={form} action={t('common.save')} back={back} />
    </Page>
  );
}
