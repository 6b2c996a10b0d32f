import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { Page } from '../components/page.tsx';
import { useForm } from '../components/use-form.ts';
import { useNotify } from '../components/toasts.tsx';
import { useText } from '../i18n/language.tsx';
import { ClusterFields } from './cluster-fields.tsx';
import { bodyOf, newCluster, problemsOf, type ClusterValues } from './cluster-form.ts';

export function NewClusterPage(): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const notify = useNotify();
  const create = async (values: ClusterValues): Promise<void> => {
    const cluster = await dataOf(api.POST('/api/v1/clusters', { body: bodyOf(values) }));
    await client.invalidateQueries({ queryKey: ['clusters'] });
    notify.done(t('clusters.created', { name: cluster.name }));
    await navigate(`/clusters/${cluster.id}`);
  };
  const form = useForm({ initial: newCluster, check: (values) => problemsOf(values, t), send: create });
  return (
    <Page title={t('clusters.create')} crumbs={[{ label: t('nav.clusters'), to: '/clusters' }]}>
      <ClusterFields form={form} action={t('clusters.create')} back="/clusters" />
    </Page>
  );
}
