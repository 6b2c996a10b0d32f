/** One scheduler: how it is, what wants attention about it, and the nodes of its cluster by their state. */
import Stack from '@mui/material/Stack';
import { useQueries, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useParams } from 'react-router';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Facts } from '../components/facts.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { ConcernList } from '../concerns/concern-list.tsx';
import { useConcerns } from '../concerns/concern-queries.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { nodesQuery, nodeStates, useLiveNodes } from '../nodes/node-queries.ts';
import { useMay } from '../session/use-session.ts';
import { ClusterLink } from './cluster-link.tsx';
import { schedulerQuery } from './member-queries.ts';

export function SchedulerPage(): ReactNode {
  const t = useText();
  const { id } = useParams();
  const seesNodes = useMay('nodes', 'read');
  const { data: scheduler, error, refetch } = useQuery(schedulerQuery(Number(id)));
  const crumbs = [{ label: t('nav.schedulers'), to: '/schedulers' }];
  const concerns = useConcerns().filter(
    ({ kind, name, scheduler_cluster_id: cluster }) =>
      kind === 'scheduler-inactive' && name === scheduler?.host_name && cluster === scheduler.scheduler_cluster_id,
  );
  if (!scheduler) {
    return (
      <Page title={t('nav.schedulers')} crumbs={crumbs}>
        {error ? <ErrorNotice error={error} retry={() => void refetch()} /> : <Loading />}
      </Page>
    );
  }
  const { host_name: name, ip, port, state, features, idc, location } = scheduler;
  return (
    <Page title={name} crumbs={crumbs} actions={<StateChip state={state} />}>
      <ConcernList concerns={concerns} linked={false} />
      <Section title={t('nodes.now')}>
        <Facts
          facts={[
            { name: t('nodes.address'), value: `${ip.includes(':') ? `[${ip}]` : ip}:${port}` },
            { name: t('field.lastSeen'), value: <TimeText at={scheduler.last_keep_alive_at} /> },
            { name: t('field.created'), value: <TimeText at={scheduler.created_at} /> },
            { name: t('schedulers.features'), value: features.join(', ') },
            { name: t('field.cluster'), value: <ClusterLink id={scheduler.scheduler_cluster_id} /> },
            { name: t('field.idc'), value: idc },
            { name: t('field.location'), value: location },
          ]}
        />
      </Section>
      {seesNodes && <NodesByState clusterId={scheduler.scheduler_cluster_id} />}
    </Page>
  );
}

function NodesByState({ clusterId }: { readonly clusterId: number }): ReactNode {
  const t = useText();
  const { number } = useFormats();
  useLiveNodes();
  const counts = useQueries({
    queries: nodeStates.map((state) => nodesQuery({ page: 1, per_page: 1, state, scheduler_cluster_id: clusterId })),
  });
  return (
    <Section title={t('schedulers.nodes')} about={t('schedulers.nodesAbout')}>
      <Facts
        facts={nodeStates.map((state, index) => ({
          name: t(`state.${state}`),
          value: (
            <Stack direction="row">
              <TextLink to={`/nodes?state=${state}`}>{number(counts[index]?.data?.total ?? 0)}</TextLink>
            </Stack>
          ),
        }))}
      />
    </Section>
  );
}
