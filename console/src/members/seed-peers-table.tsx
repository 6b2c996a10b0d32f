/** Seed peers, of one cluster or of all. */
import Stack from '@mui/material/Stack';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { ClusterLink } from './cluster-link.tsx';
import { HostCell } from './host-cell.tsx';
import { MemberFilters, memberFilters } from './member-filters.tsx';
import { seedPeersQuery, stateOf, type SeedPeer } from './member-queries.ts';
import { NoPeers } from './no-members.tsx';

export function SeedPeersTable({ clusterId }: { readonly clusterId?: number }): ReactNode {
  const t = useText();
  const may = useMay('seed-peers');
  const list = useListState(memberFilters);
  const query = useQuery(
    seedPeersQuery({
      page: list.page,
      per_page: list.perPage,
      ...list.filters,
      state: stateOf(list.filters.state),
      seed_peer_cluster_id: clusterId,
    }),
  );
  const columns: Column<SeedPeer>[] = [
    {
      key: 'host',
      header: t('field.hostName'),
      cell: ({ host_name, ip, port }) => <HostCell name={host_name} ip={ip} port={port} />,
    },
    { key: 'state', header: t('field.state'), cell: ({ state }) => <StateChip state={state} /> },
    {
      key: 'seen',
      header: t('field.lastSeen'),
      cell: ({ last_keep_alive_at }) => <TimeText at={last_keep_alive_at} />,
      from: 'sm',
    },
    {
      key: 'download',
      header: t('field.downloadPort'),
      cell: ({ download_port }) => download_port,
      align: 'right',
      from: 'md',
    },
    { key: 'idc', header: t('field.idc'), cell: ({ idc }) => idc || '–', from: 'md' },
    { key: 'location', header: t('field.location'), cell: ({ location }) => location || '–', from: 'lg' },
  ];
  if (clusterId === undefined) {
    columns.push({
      key: 'cluster',
      header: t('field.cluster'),
      cell: (row) => <ClusterLink id={row.seed_peer_cluster_id} half="seed_peer_cluster_id" />,
      from: 'sm',
    });
  }
  if (may)
    columns.push({
      key: 'actions',
      header: '',
      align: 'right',
      cell: (seedPeer) => <DeleteSeedPeer seedPeer={seedPeer} />,
    });
  return (
    <Stack spacing={2}>
      <MemberFilters list={list} />
      <DataTable
        label={t('nav.seedPeers')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={<NoPeers seed clusterId={clusterId} />}
      />
    </Stack>
  );
}

function DeleteSeedPeer({ seedPeer: { id, host_name: name } }: { readonly seedPeer: SeedPeer }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  return (
    <ConfirmButton
      compact
      label={t('members.delete', { name })}
      confirmation={{
        title: t('members.delete', { name }),
        reach: t('seedPeers.deleteReach'),
        action: t('common.delete'),
        done: t('members.deleted', { name }),
        run: async () => {
          await dataOf(api.DELETE('/api/v1/seed-peers/{id}', { params: { path: { id } } }));
          await client.invalidateQueries({ queryKey: ['seed-peers'] });
        },
      }}
    />
  );
}
