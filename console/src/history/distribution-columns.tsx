/** What is told of distributions and of the tasks they were of. */
import type { Column } from '../components/data-table.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { TextLink } from '../components/text-link.tsx';
import type { Distribution, HotTask } from './history-queries.ts';
import { TaskName } from './task-name.tsx';

/** What is recorded can be watched again. */
export function useDistributionColumns(): Column<Distribution & { readonly recorded?: boolean }>[] {
  const t = useText();
  const { bytes, duration, number } = useFormats();
  return [
    {
      key: 'task',
      header: t('history.content'),
      cell: (row) => (
        <>
          <TaskName task={row} />
          {row.recorded === true && <TextLink to={`/history/${row.id}`}>{t('replay.watch')}</TextLink>}
        </>
      ),
    },
    { key: 'ended', header: t('history.ended'), cell: ({ ended_at_ms: at }) => <TimeText at={at} />, from: 'sm' },
    {
      key: 'size',
      header: t('history.size'),
      cell: ({ content_length: size }) => (
        <span style={{ whiteSpace: 'nowrap' }}>{size === 0 ? '–' : bytes(size)}</span>
      ),
      align: 'right',
      from: 'md',
    },
    { key: 'downloads', header: t('history.nodes'), cell: ({ downloads }) => number(downloads), align: 'right' },
    {
      key: 'took',
      header: t('history.toLast'),
      cell: ({ started_at_ms: from, ended_at_ms: to }) => duration(to - from),
      align: 'right',
      from: 'sm',
    },
    {
      key: 'slowest',
      header: t('history.slowest'),
      cell: ({ slowest_ms: slowest, last_node: node }) => `${duration(slowest)}${node === '' ? '' : ` · ${node}`}`,
      align: 'right',
      from: 'lg',
    },
    {
      key: 'copies',
      header: t('tasks.originCopies'),
      cell: ({ copies, content_length: size }) => (size === 0 ? '–' : number(copies)),
      align: 'right',
    },
    {
      key: 'failures',
      header: t('history.failures'),
      cell: ({ failures }) => (failures === 0 ? '–' : number(failures)),
      align: 'right',
      from: 'md',
    },
  ];
}

export function useHotTaskColumns(): Column<HotTask>[] {
  const t = useText();
  const { bytes, number } = useFormats();
  return [
    { key: 'task', header: t('history.content'), cell: (row) => <TaskName task={row} /> },
    { key: 'downloads', header: t('history.downloads'), cell: ({ downloads }) => number(downloads), align: 'right' },
    {
      key: 'bytes',
      header: t('overview.fromPeers'),
      cell: ({ peer_bytes: peers }) => bytes(peers),
      align: 'right',
      from: 'sm',
    },
    {
      key: 'origin',
      header: t('overview.fromOrigin'),
      cell: ({ origin_bytes: origin }) => bytes(origin),
      align: 'right',
    },
  ];
}
