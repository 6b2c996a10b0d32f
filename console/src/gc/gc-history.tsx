import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { jobsQuery, shownState, subjectOf, type Job } from '../jobs/job-queries.ts';
import { useMay } from '../session/use-session.ts';

export function GcHistory(): ReactNode {
  const t = useText();
  const may = useMay('jobs', 'read');
  const list = useListState([]);
  const query = useQuery({ ...jobsQuery({ page: list.page, per_page: list.perPage, type: 'gc' }), enabled: may });
  const columns: Column<Job>[] = [
    { key: 'job', header: t('jobs.job'), cell: ({ id }) => <TextLink to={`/jobs/${id}`}>#{id}</TextLink> },
    { key: 'kind', header: t('field.type'), cell: subjectOf },
    { key: 'state', header: t('field.state'), cell: (job) => <StateChip state={shownState(job)} /> },
    {
      key: 'purged',
      header: t('gc.purgedHeader'),
      cell: ({ result }) => (result as { purged?: number } | null)?.purged ?? '–',
      align: 'right',
    },
    { key: 'user', header: t('field.user'), cell: ({ user }) => user?.name ?? t('jobs.system'), from: 'sm' },
    { key: 'created', header: t('field.created'), cell: ({ created_at }) => <TimeText at={created_at} /> },
  ];
  return (
    <DataTable
      label={t('gc.history')}
      columns={columns}
      rowKey={({ id }) => id}
      query={query}
      list={list}
      empty={<EmptyState title={t('gc.none')} text={t('gc.noneText')} />}
    />
  );
}
