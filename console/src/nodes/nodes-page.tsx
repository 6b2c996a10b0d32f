/** Every host of every cluster, live, those that were lost within a day included. */
import Typography from '@mui/material/Typography';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { monospace } from '../app/theme.ts';
import { DataTable, type Column } from '../components/data-table.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { ChoiceFilter, TextFilter } from '../components/filter-fields.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { Page } from '../components/page.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { ClusterLink } from '../members/cluster-link.tsx';
import { NoPeers } from '../members/no-members.tsx';
import { keyOf, nodesQuery, nodeStateOf, nodeStates, pathOf, useLiveNodes, type Node } from './node-queries.ts';
import { UsageBar } from './usage-bar.tsx';

export function NodesPage(): ReactNode {
  const t = useText();
  const list = useListState(['search', 'state', 'type']);
  useLiveNodes();
  const { search, state, type } = list.filters;
  const query = useQuery(
    nodesQuery({
      page: list.page,
      per_page: list.perPage,
      search,
      state: nodeStateOf(state),
      type: type === 'seed' || type === 'normal' ? type : undefined,
    }),
  );
  const columns: Column<Node>[] = [
    { key: 'host', header: t('field.hostName'), cell: (node) => <NodeCell node={node} /> },
    { key: 'state', header: t('field.state'), cell: ({ state: now }) => <StateChip state={now} /> },
    { key: 'since', header: t('nodes.since'), cell: ({ since_ms }) => <TimeText at={since_ms} /> },
    {
      key: 'type',
      header: t('field.type'),
      cell: (node) => t(node.type === 'seed' ? 'swarm.seed' : 'swarm.normal'),
      from: 'md',
    },
    { key: 'idc', header: t('field.idc'), cell: ({ idc }) => idc || '–', from: 'lg' },
    { key: 'version', header: t('peers.version'), cell: ({ version }) => version || '–', from: 'lg' },
    {
      key: 'disk',
      header: t('nodes.disk'),
      cell: ({ disk_total: total, disk_free: free }) => (
        <UsageBar label={t('nodes.disk')} total={total} free={free} brief />
      ),
      from: 'sm',
    },
    {
      key: 'memory',
      header: t('nodes.memory'),
      cell: ({ memory_total: total, memory_available: free }) => (
        <UsageBar label={t('nodes.memory')} total={total} free={free} brief />
      ),
      from: 'md',
    },
    {
      key: 'uploads',
      header: t('nodes.uploadsRunning'),
      cell: ({ uploads_running }) => uploads_running,
      align: 'right',
      from: 'sm',
    },
    {
      key: 'cluster',
      header: t('field.cluster'),
      cell: ({ scheduler_cluster_id }) => <ClusterLink id={scheduler_cluster_id} />,
      from: 'lg',
    },
  ];
  return (
    <Page
      title={t('nav.nodes')}
      about={t('nodes.about')}
      actions={<LinkButton to="/nodes/add">{t('addNode.title')}</LinkButton>}
    >
      <FilterBar list={list}>
        <TextFilter label={t('table.search')} value={search} onChange={(value) => list.setFilter('search', value)} />
        <ChoiceFilter
          label={t('field.state')}
          value={state}
          choices={nodeStates.map((value) => ({ value, label: t(`state.${value}`) }))}
          onChange={(value) => list.setFilter('state', value)}
        />
        <ChoiceFilter
          label={t('field.type')}
          value={type}
          choices={[
            { value: 'seed', label: t('swarm.seed') },
            { value: 'normal', label: t('swarm.normal') },
          ]}
          onChange={(value) => list.setFilter('type', value)}
        />
      </FilterBar>
      <DataTable
        label={t('nav.nodes')}
        columns={columns}
        rowKey={keyOf}
        query={query}
        list={list}
        empty={<NoPeers />}
      />
    </Page>
  );
}

function NodeCell({ node }: { readonly node: Node }): ReactNode {
  return (
    <>
      <TextLink to={pathOf(node)}>{node.host_name || node.ip}</TextLink>
      <Typography component="div" variant="caption" color="textSecondary" sx={{ fontFamily: monospace }}>
        {node.ip}
      </Typography>
    </>
  );
}
