/** Who did what, newest first. */
import Chip from '@mui/material/Chip';
import Typography from '@mui/material/Typography';
import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';
import { monospace } from '../app/theme.ts';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { ChoiceFilter, TextFilter } from '../components/filter-fields.tsx';
import { Page } from '../components/page.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { auditWords } from './audit-words.ts';

type Audit = Schemas['Audit'];
type ListQuery = NonNullable<paths['/api/v1/audits']['get']['parameters']['query']>;

const actorTypes = ['USER', 'PAT', 'UNKNOWN'] as const;
const states = ['SUCCESS', 'FAILURE'] as const;
const operations = ['POST', 'PATCH', 'PUT', 'DELETE'] as const;

function auditsQuery(query: ListQuery) {
  return queryOptions({
    queryKey: ['audits', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/audits', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    // Nothing tells of new entries: a look at the trail is a fresh one.
    staleTime: 0,
  });
}

export function AuditPage(): ReactNode {
  const t = useText();
  const list = useListState(['search', 'actor_type', 'operation', 'state']);
  const { search, operation } = list.filters;
  const actorType = actorTypes.find((one) => one === list.filters.actor_type);
  const state = states.find((one) => one === list.filters.state);
  const query = useQuery(
    auditsQuery({ page: list.page, per_page: list.perPage, search, actor_type: actorType, operation, state }),
  );
  const actorText = (type: string): string =>
    t(`audit.actorType.${actorTypes.find((one) => one === type) ?? 'UNKNOWN'}`);
  const actorOf = ({ actor_name: name, actor_type: type }: Audit): string => `${name} · ${actorText(type)}`;
  const columns: Column<Audit>[] = [
    { key: 'at', header: t('audit.at'), cell: ({ operated_at }) => <TimeText at={operated_at} />, from: 'sm' },
    { key: 'actor', header: t('audit.actor'), cell: actorOf, from: 'sm' },
    {
      key: 'operation',
      header: t('audit.operation'),
      cell: (row) => <Chip size="small" label={row.operation} />,
      from: 'sm',
    },
    {
      key: 'path',
      header: t('audit.path'),
      cell: (row) => (
        <>
          <Typography variant="body2" component="div" sx={{ display: { sm: 'none' } }}>
            <TimeText at={row.operated_at} /> · {actorOf(row)} · {row.operation}
          </Typography>
          <Typography variant="body2" component="div">
            {auditWords(row, t)}
          </Typography>
          <Typography component="span" sx={{ fontFamily: monospace, fontSize: '0.82rem', overflowWrap: 'anywhere' }}>
            {row.path}
          </Typography>
        </>
      ),
    },
    { key: 'state', header: t('field.state'), cell: (row) => <StateChip state={row.state} /> },
    { key: 'status', header: t('audit.status'), cell: ({ status_code }) => status_code, align: 'right', from: 'md' },
  ];
  return (
    <Page title={t('nav.audit')} about={t('audit.about')}>
      <FilterBar list={list}>
        <TextFilter label={t('table.search')} value={search} onChange={(value) => list.setFilter('search', value)} />
        <ChoiceFilter
          label={t('audit.actorType')}
          value={actorType}
          onChange={(value) => list.setFilter('actor_type', value)}
          choices={actorTypes.map((value) => ({ value, label: actorText(value) }))}
        />
        <ChoiceFilter
          label={t('audit.operation')}
          value={operation}
          onChange={(value) => list.setFilter('operation', value)}
          choices={operations.map((value) => ({ value, label: value }))}
        />
        <ChoiceFilter
          label={t('field.state')}
          value={state}
          onChange={(value) => list.setFilter('state', value)}
          choices={states.map((value) => ({
            value,
            label: t(value === 'SUCCESS' ? 'state.success' : 'state.failure'),
          }))}
        />
      </FilterBar>
      <DataTable
        label={t('nav.audit')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={<EmptyState title={t('audit.none')} text={t('audit.noneText')} />}
      />
    </Page>
  );
}
