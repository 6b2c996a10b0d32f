/** Peers, of one cluster or of all, as the schedulers last reported them. */
import Stack from '@mui/material/Stack';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useNodesOnline } from '../events/live-events.tsx';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { ClusterLink } from './cluster-link.tsx';
import { HostCell } from './host-cell.tsx';
import { MemberFilters, memberFilters } from './member-filters.tsx';
import { peersQuery, stateOf, type Peer } from './member-queries.ts';
import { NoPeers } from './no-members.tsx';
import { SyncPeersButton } from './sync-peers-button.tsx';

export function PeersTable({ clusterId }: { readonly clusterId?: number }): ReactNode {
  const t = useText();
  const may = useMay('peers');
  const list = useListState(memberFilters);
  const hosts = useNodesOnline(clusterId);
  const query = useQuery(
    peersQuery({
      page: list.page,
      per_page: list.perPage,
      ...list.filters,
      state: stateOf(list.filters.state),
      scheduler_cluster_id: clusterId,
    }),
  );
  const columns: Column<Peer>[] = [
    {
      key: 'host',
      header: t('field.hostName'),
      cell: ({ host_name, ip, port }) => <HostCell name={host_name} ip={ip} port={port} />,
    },
    { key: 'state', header: t('field.state'), cell: ({ state }) => <StateChip state={state} /> },
    { key: 'type', header: t('field.type'), cell: ({ type }) => type, from: 'sm' },
    { key: 'idc', header: t('field.idc'), cell: ({ idc }) => idc || '–', from: 'md' },
    { key: 'version', header: t('peers.version'), cell: ({ git_version }) => git_version || '–', from: 'md' },
    { key: 'system', header: t('peers.system'), cell: systemOf, from: 'lg' },
    { key: 'updated', header: t('field.updated'), cell: ({ updated_at }) => <TimeText at={updated_at} />, from: 'sm' },
  ];
  if (clusterId === undefined) {
    columns.push({
      key: 'cluster',
      header: t('field.cluster'),
      cell: (row) => <ClusterLink id={row.scheduler_cluster_id} />,
      from: 'md',
    });
  }
  if (may) columns.push({ key: 'actions', header: '', align: 'right', cell: (peer) => <DeletePeer peer={peer} /> });
  return (
    <Stack spacing={2}>
      <MemberFilters list={list} />
      <DataTable
        label={t('nav.peers')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={hosts > 0 ? <PeersNotListed hosts={hosts} /> : <NoPeers clusterId={clusterId} />}
      />
    </Stack>
  );
}

/** Nodes are there, though the manager has not asked for their list yet. */
function PeersNotListed({ hosts }: { readonly hosts: number }): ReactNode {
  const t = useText();
  return (
    <EmptyState title={t('overview.online', { count: hosts })} text={t('peers.notListed')}>
      <SyncPeersButton />
    </EmptyState>
  );
}

function systemOf({ os, platform, platform_version: version, kernel_version: kernel }: Peer): string {
  return [platform || os, version, kernel].filter((part) => part !== '').join(' · ') || '–';
}

function DeletePeer({ peer: { id, host_name: name } }: { readonly peer: Peer }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  return (
    <ConfirmButton
      compact
      label={t('members.delete', { name })}
      confirmation={{
        title: t('members.delete', { name }),
        reach: t('peers.deleteReach'),
        action: t('common.delete'),
        done: t('members.deleted', { name }),
        run: async () => {
          await dataOf(api.DELETE('/api/v1/peers/{id}', { params: { path: { id } } }));
          await client.invalidateQueries({ queryKey: ['peers'] });
        },
      }}
    />
  );
}
