import AddIcon from '@mui/icons-material/Add';
import Chip from '@mui/material/Chip';
import Stack from '@mui/material/Stack';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { TextFilter } from '../components/filter-fields.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { Page } from '../components/page.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { clustersQuery, configOf, type Cluster } from './cluster-queries.ts';
import { NodesOnline } from './nodes-online.tsx';
import { ScopeChips } from './scope-chips.tsx';

export function ClustersPage(): ReactNode {
  const t = useText();
  const mayCreate = useMay('clusters');
  const list = useListState(['search']);
  const query = useQuery(clustersQuery({ page: list.page, per_page: list.perPage, ...list.filters }));
  const create = mayCreate && (
    <LinkButton to="/clusters/new" variant="contained" startIcon={<AddIcon />}>
      {t('clusters.create')}
    </LinkButton>
  );
  const columns: Column<Cluster>[] = [
    {
      key: 'name',
      header: t('field.name'),
      cell: (cluster) => (
        <Stack direction="row" useFlexGap spacing={1} sx={{ alignItems: 'center', flexWrap: 'wrap' }}>
          <TextLink to={`/clusters/${cluster.id}`}>{cluster.name}</TextLink>
          {cluster.is_default && <Chip size="small" label={t('clusters.default')} />}
        </Stack>
      ),
    },
    { key: 'bio', header: t('field.description'), cell: ({ bio }) => bio || '–', from: 'md' },
    {
      key: 'scopes',
      header: t('clusters.scopes'),
      cell: (cluster) => <ScopeChips scopes={configOf(cluster).scopes} />,
      from: 'sm',
    },
    {
      key: 'online',
      header: t('overview.hosts'),
      cell: (cluster) => <NodesOnline schedulerClusterId={cluster.scheduler_cluster_id} />,
      align: 'right',
    },
    { key: 'id', header: t('field.id'), cell: ({ id }) => id, align: 'right', from: 'lg' },
    { key: 'created', header: t('field.created'), cell: ({ created_at }) => <TimeText at={created_at} />, from: 'sm' },
  ];
  return (
    <Page title={t('nav.clusters')} about={t('clusters.about')} actions={create}>
      <FilterBar list={list}>
        <TextFilter
          label={t('table.search')}
          value={list.filters.search}
          onChange={(value) => list.setFilter('search', value)}
        />
      </FilterBar>
      <DataTable
        label={t('nav.clusters')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('clusters.none')} text={t('clusters.noneText')}>
            {create}
          </EmptyState>
        }
      />
    </Page>
  );
}
