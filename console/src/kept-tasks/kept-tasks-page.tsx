/** Content that was put into the clusters to stay: how many hosts hold it, which, and until when. */
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { monospace } from '../app/theme.ts';
import { CommandBlock } from '../components/command-block.tsx';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { TextFilter } from '../components/filter-fields.tsx';
import { Page } from '../components/page.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { ClusterLink } from '../members/cluster-link.tsx';
import { useMay } from '../session/use-session.ts';
import { deleteKeptTask, keptTasksKey, keptTasksQuery, type KeptTask } from './kept-task-queries.ts';

const nanosecondsPerMs = 1e6;

export function KeptTasksPage(): ReactNode {
  const t = useText();
  const { bytes } = useFormats();
  const may = useMay('persistent-cache-tasks');
  const list = useListState(['search']);
  const { search } = list.filters;
  const query = useQuery(keptTasksQuery({ page: list.page, per_page: list.perPage, search }));
  const columns: Column<KeptTask>[] = [
    { key: 'id', header: t('kept.content'), cell: (task) => <ContentCell task={task} /> },
    { key: 'state', header: t('field.state'), cell: (task) => <StateChip state={stateOf(task)} /> },
    {
      key: 'replicas',
      header: t('kept.replicas'),
      cell: ({ current_persistent_replica_count: now, persistent_replica_count: wanted }) =>
        t('kept.replicasOf', { now, wanted }),
      align: 'right',
    },
    { key: 'store', header: t('kept.store'), cell: ({ object }) => (object ? t(storeText[object.state]) : '–') },
    { key: 'hosts', header: t('kept.hosts'), cell: (task) => <HostsCell task={task} />, from: 'sm' },
    { key: 'size', header: t('tasks.size'), cell: (task) => bytes(task.content_length), align: 'right', from: 'sm' },
    {
      key: 'expires',
      header: t('kept.expires'),
      cell: (task) => <ExpiresCell task={task} />,
      from: 'md',
    },
    { key: 'owner', header: t('kept.owner'), cell: ({ owner }) => owner || '–', from: 'lg' },
    {
      key: 'cluster',
      header: t('field.cluster'),
      cell: ({ scheduler_cluster_id }) => <ClusterLink id={scheduler_cluster_id} />,
      from: 'lg',
    },
  ];
  if (may) columns.push({ key: 'actions', header: '', align: 'right', cell: (task) => <DeleteButton task={task} /> });
  return (
    <Page title={t('nav.keptTasks')} about={t('kept.about')}>
      <FilterBar list={list}>
        <TextFilter label={t('table.search')} value={search} onChange={(value) => list.setFilter('search', value)} />
      </FilterBar>
      <DataTable
        label={t('nav.keptTasks')}
        columns={columns}
        rowKey={({ id, scheduler_cluster_id: cluster }) => `${cluster} ${id}`}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('kept.none')} text={t('kept.noneText')}>
            <CommandBlock label={t('kept.command')}>
              dfcache import FILE --persistent-replica-count 2 --ttl 24h
            </CommandBlock>
            <CommandBlock label={t('kept.storeCommand')}>
              dfstore import FILE --url s3://BUCKET/KEY --storage-region REGION --storage-endpoint URL
            </CommandBlock>
          </EmptyState>
        }
      />
    </Page>
  );
}

/** Fewer hosts hold it than are to: another one is about to. */
function stateOf({ state, current_persistent_replica_count: now, persistent_replica_count: wanted }: KeptTask): string {
  if (state === 'Uploading') return 'Running';
  return now < wanted ? 'RETRY' : state;
}

const storeText = { stored: 'kept.stored', pending: 'kept.pending', replicas: 'kept.replicasOnly' } as const;

/** What the store does not have yet stays. */
function ExpiresCell({ task: { created_at, ttl, object } }: { readonly task: KeptTask }): ReactNode {
  if (object?.state === 'pending') return '–';
  return <TimeText at={Date.parse(created_at) + ttl / nanosecondsPerMs} />;
}

function ContentCell({ task: { id, tag, application, object } }: { readonly task: KeptTask }): ReactNode {
  const name = object?.url ?? [application, tag].filter(Boolean).join(' · ');
  return (
    <>
      {name && <Typography variant="body2">{name}</Typography>}
      <Typography component="div" variant="caption" title={id} sx={{ fontFamily: monospace }}>
        {id.slice(0, 16)}…
      </Typography>
    </>
  );
}

function HostsCell({ task: { peers } }: { readonly task: KeptTask }): ReactNode {
  const t = useText();
  const noteOf = ({ persistent, state }: KeptTask['peers'][number]): string => {
    if (state === 'Away') return t('kept.away');
    if (state === 'Running') return t('kept.coming');
    return persistent ? '' : t('kept.cached');
  };
  return (
    <Stack>
      {peers.map((peer) => {
        const note = noteOf(peer);
        return (
          <Typography key={peer.id} variant="caption" color={note === '' ? 'textPrimary' : 'textSecondary'}>
            {peer.host.hostname || peer.id}
            {note !== '' && ` (${note})`}
          </Typography>
        );
      })}
    </Stack>
  );
}

function DeleteButton({ task }: { readonly task: KeptTask }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const name = `${task.id.slice(0, 16)}…`;
  return (
    <ConfirmButton
      compact
      label={t('kept.delete', { name })}
      confirmation={{
        title: t('kept.delete', { name }),
        reach: t('kept.deleteReach'),
        action: t('common.delete'),
        done: t('kept.deleted', { name }),
        run: async () => {
          await deleteKeptTask(task);
          await client.invalidateQueries({ queryKey: keptTasksKey });
        },
      }}
    />
  );
}
