/** What a node got last: from whom, how long that took, and whether it came to its end. */
import Typography from '@mui/material/Typography';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Column } from '../components/data-table.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Loading } from '../components/loading.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { TaskName } from '../history/task-name.tsx';
import { SmallTable } from '../history/small-table.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { nodeDownloadsQuery, type NodeDownload } from './node-queries.ts';

interface NodeDownloadsProps {
  readonly id: string;
  readonly cluster: number | undefined;
}

export function NodeDownloads({ id, cluster }: NodeDownloadsProps): ReactNode {
  const t = useText();
  const columns = useColumns();
  const { data, error, refetch } = useQuery(nodeDownloadsQuery(id, cluster));
  return (
    <Section title={t('nodes.downloads')} about={t('nodes.downloadsAbout')}>
      {data ? (
        <SmallTable
          label={t('nodes.downloads')}
          columns={columns}
          rows={data.rows}
          rowKey={(row) => `${row.task_id} ${row.ended_at_ms}`}
          none={t('nodes.noDownloads')}
        />
      ) : error ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : (
        <Loading />
      )}
    </Section>
  );
}

function useColumns(): Column<NodeDownload>[] {
  const t = useText();
  const { bytes, duration } = useFormats();
  return [
    { key: 'task', header: t('history.content'), cell: (row) => <TaskName task={row} /> },
    { key: 'ended', header: t('history.ended'), cell: ({ ended_at_ms: at }) => <TimeText at={at} />, from: 'sm' },
    {
      key: 'took',
      header: t('nodes.took'),
      cell: ({ started_at_ms: from, ended_at_ms: to }) => duration(to - from),
      align: 'right',
      from: 'sm',
    },
    { key: 'origin', header: t('overview.fromOrigin'), cell: (row) => bytes(row.origin_bytes), align: 'right' },
    {
      key: 'peers',
      header: t('overview.fromPeers'),
      cell: ({ peer_bytes: peers, sources }) => (
        <>
          {bytes(peers)}
          {sources.length > 0 && (
            <Typography variant="caption" color="textSecondary" component="div">
              {sources.map(({ host_name: name }) => name).join(', ')}
            </Typography>
          )}
        </>
      ),
      align: 'right',
    },
    {
      key: 'result',
      header: t('nodes.result'),
      cell: ({ succeeded }) => <StateChip state={succeeded ? 'Succeeded' : 'Failed'} />,
    },
  ];
}
