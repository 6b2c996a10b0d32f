import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { ChoiceFilter } from '../components/filter-fields.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { Page } from '../components/page.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { jobsQuery, jobStates, jobTypes, shownState, subjectOf, typeOf, type Job } from './job-queries.ts';

export function JobsPage(): ReactNode {
  const t = useText();
  const may = useMay('jobs');
  const list = useListState(['type', 'state']);
  const type = jobTypes.find((one) => one === list.filters.type);
  const state = jobStates.find((one) => one === list.filters.state);
  const query = useQuery(jobsQuery({ page: list.page, per_page: list.perPage, type, state }));
  const preheat = may && (
    <LinkButton to="/preheat" variant="contained">
      {t('nav.preheat')}
    </LinkButton>
  );
  const columns: Column<Job>[] = [
    {
      key: 'job',
      header: t('jobs.job'),
      cell: (job) => (
        <TextLink to={`/jobs/${job.id}`}>
          #{job.id} · {t(`jobType.${typeOf(job)}`)}
        </TextLink>
      ),
    },
    { key: 'state', header: t('field.state'), cell: (job) => <StateChip state={shownState(job)} /> },
    { key: 'subject', header: t('jobs.subject'), cell: (job) => <Subject job={job} />, from: 'sm' },
    {
      key: 'clusters',
      header: t('nav.clusters'),
      cell: (job) => job.scheduler_clusters.map(({ name }) => name).join(', ') || t('jobs.allClusters'),
      from: 'lg',
    },
    { key: 'user', header: t('field.user'), cell: ({ user }) => user?.name ?? t('jobs.system'), from: 'md' },
    { key: 'created', header: t('field.created'), cell: ({ created_at }) => <TimeText at={created_at} />, from: 'sm' },
  ];
  return (
    <Page title={t('nav.jobs')} about={t('jobs.about')} actions={preheat}>
      <FilterBar list={list}>
        <ChoiceFilter
          label={t('field.type')}
          value={type}
          onChange={(value) => list.setFilter('type', value)}
          choices={jobTypes.map((value) => ({ value, label: t(`jobType.${value}`) }))}
        />
        <ChoiceFilter
          label={t('field.state')}
          value={state}
          onChange={(value) => list.setFilter('state', value)}
          choices={jobStates.map((value) => ({ value, label: t(`jobState.${value}`) }))}
        />
      </FilterBar>
      <DataTable
        label={t('nav.jobs')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('jobs.none')} text={t('jobs.noneText')}>
            {preheat}
          </EmptyState>
        }
      />
    </Page>
  );
}

function Subject({ job }: { readonly job: Job }): ReactNode {
  return (
    <>
      {job.bio !== '' && <div>{job.bio}</div>}
      <span style={{ overflowWrap: 'anywhere' }}>{subjectOf(job) || '–'}</span>
    </>
  );
}
