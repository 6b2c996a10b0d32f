/** Schedulers, of one cluster or of all. */
import Chip from '@mui/material/Chip';
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
import { EditFeaturesButton } from './edit-features-button.tsx';
import { HostCell } from './host-cell.tsx';
import { MemberFilters, memberFilters } from './member-filters.tsx';
import { schedulersQuery, stateOf, type Scheduler } from './member-queries.ts';
import { NoSchedulers } from './no-members.tsx';

export function SchedulersTable({ clusterId }: { readonly clusterId?: number }): ReactNode {
  const t = useText();
  const may = useMay('schedulers');
  const list = useListState(memberFilters);
  const query = useQuery(
    schedulersQuery({
      page: list.page,
      per_page: list.perPage,
      ...list.filters,
      state: stateOf(list.filters.state),
      scheduler_cluster_id: clusterId,
    }),
  );
  const columns: Column<Scheduler>[] = [
    {
      key: 'host',
      header: t('field.hostName'),
      cell: ({ id, host_name, ip, port }) => <HostCell name={host_name} ip={ip} port={port} to={`/schedulers/${id}`} />,
    },
    { key: 'state', header: t('field.state'), cell: ({ state }) => <StateChip state={state} /> },
    {
      key: 'seen',
      header: t('field.lastSeen'),
      cell: ({ last_keep_alive_at }) => <TimeText at={last_keep_alive_at} />,
      from: 'sm',
    },
    {
      key: 'features',
      header: t('schedulers.features'),
      cell: ({ features }) => (
        <Stack direction="row" spacing={0.5}>
          {features.map((feature) => (
            <Chip key={feature} size="small" label={feature} />
          ))}
        </Stack>
      ),
      from: 'md',
    },
    { key: 'idc', header: t('field.idc'), cell: ({ idc }) => idc || '–', from: 'lg' },
    { key: 'location', header: t('field.location'), cell: ({ location }) => location || '–', from: 'lg' },
  ];
  if (clusterId === undefined) {
    columns.push({
      key: 'cluster',
      header: t('field.cluster'),
      cell: (row) => <ClusterLink id={row.scheduler_cluster_id} />,
      from: 'sm',
    });
  }
  if (may)
    columns.push({
      key: 'actions',
      header: '',
      align: 'right',
      cell: (scheduler) => <Actions scheduler={scheduler} />,
    });
  return (
    <Stack spacing={2}>
      <MemberFilters list={list} />
      <DataTable
        label={t('nav.schedulers')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={<NoSchedulers clusterId={clusterId} />}
      />
    </Stack>
  );
}

function Actions({ scheduler }: { readonly scheduler: Scheduler }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const { id, host_name: name } = scheduler;
  return (
    <Stack direction="row" sx={{ justifyContent: 'flex-end' }}>
      <EditFeaturesButton scheduler={scheduler} />
      <ConfirmButton
        compact
        label={t('members.delete', { name })}
        confirmation={{
          title: t('members.delete', { name }),
          reach: t('schedulers.deleteReach'),
          action: t('common.delete'),
          done: t('members.deleted', { name }),
          run: async () => {
            await dataOf(api.DELETE('/api/v1/schedulers/{id}', { params: { path: { id } } }));
            await client.invalidateQueries({ queryKey: ['schedulers'] });
          },
        }}
      />
    </Stack>
  );
}
