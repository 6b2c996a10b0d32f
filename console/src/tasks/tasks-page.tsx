import Box from '@mui/material/Box';
import LinearProgress from '@mui/material/LinearProgress';
import Typography from '@mui/material/Typography';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { CommandBlock } from '../components/command-block.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { TextFilter } from '../components/filter-fields.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { Page } from '../components/page.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import type { TaskSummary } from '../events/event-types.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { ClusterLink } from '../members/cluster-link.tsx';
import { useMay } from '../session/use-session.ts';
import { FindTaskButton } from './find-task-button.tsx';
import { keyOf, nameOf, originCopiesOf, spreadOf, tasksQuery, useLiveTasks } from './task-queries.ts';

export function TasksPage(): ReactNode {
  const t = useText();
  const { bytes, number } = useFormats();
  const maySearch = useMay('jobs');
  const list = useListState(['url', 'task_id']);
  useLiveTasks();
  const query = useQuery(tasksQuery({ page: list.page, per_page: list.perPage, ...list.filters }));
  const columns: Column<TaskSummary>[] = [
    { key: 'task', header: t('tasks.task'), cell: (task) => <TaskCell task={task} /> },
    { key: 'spread', header: t('tasks.spread'), cell: (task) => <SpreadCell task={task} /> },
    { key: 'size', header: t('tasks.size'), cell: (task) => bytes(task.content_length), align: 'right', from: 'sm' },
    {
      key: 'copies',
      header: t('tasks.originCopies'),
      cell: (task) => number(originCopiesOf(task)),
      align: 'right',
      from: 'sm',
    },
    {
      key: 'cluster',
      header: t('field.cluster'),
      cell: (task) => <ClusterLink id={task.scheduler_cluster_id} />,
      from: 'lg',
    },
    { key: 'updated', header: t('field.updated'), cell: (task) => <TimeText at={task.updated_at_ms} />, from: 'md' },
  ];
  return (
    <Page
      title={t('nav.tasks')}
      about={t('tasks.about')}
      actions={
        <>
          <LinkButton to="/explained">{t('explained.link')}</LinkButton>
          {maySearch && <FindTaskButton />}
        </>
      }
    >
      <FilterBar list={list}>
        <TextFilter label="URL" value={list.filters.url} onChange={(value) => list.setFilter('url', value)} />
        <TextFilter
          label={t('tasks.id')}
          value={list.filters.task_id}
          onChange={(value) => list.setFilter('task_id', value)}
        />
      </FilterBar>
      <DataTable
        label={t('nav.tasks')}
        columns={columns}
        rowKey={keyOf}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('tasks.none')} text={t('tasks.noneText')}>
            <CommandBlock label={t('members.commands')}>
              dfget https://example.com/file.bin --output ./file.bin
            </CommandBlock>
          </EmptyState>
        }
      />
    </Page>
  );
}

function TaskCell({ task }: { readonly task: TaskSummary }): ReactNode {
  return (
    <Box sx={{ maxWidth: { xs: '44vw', sm: 300, lg: 420 } }}>
      <TextLink to={`/tasks/${task.id}?cluster=${task.scheduler_cluster_id}`}>{nameOf(task)}</TextLink>
      <Typography component="div" variant="caption" color="textSecondary" noWrap>
        {task.url}
      </Typography>
    </Box>
  );
}

function SpreadCell({ task }: { readonly task: TaskSummary }): ReactNode {
  const t = useText();
  return (
    <Box sx={{ minWidth: 110 }}>
      <Typography variant="body2">
        {t('tasks.peersOf', { finished: task.peers_finished, peers: task.peers })}
      </Typography>
      <LinearProgress
        variant="determinate"
        value={spreadOf(task) * 100}
        aria-label={nameOf(task)}
        sx={{ borderRadius: 2 }}
      />
    </Box>
  );
}
