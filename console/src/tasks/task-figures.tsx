/** The figures of a task: how far it has spread and what it cost the origin. */
import Box from '@mui/material/Box';
import Card from '@mui/material/Card';
import LinearProgress from '@mui/material/LinearProgress';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { CopyButton } from '../components/copy-button.tsx';
import { Facts } from '../components/facts.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import type { TaskSummary } from '../events/event-types.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { ClusterLink } from '../members/cluster-link.tsx';
import { timingOf } from '../swarm-view/swarm-figures.ts';
import type { SwarmModel } from '../swarm-view/swarm-model.ts';
import { originCopiesOf, spreadOf } from './task-queries.ts';

export function TaskFigures({ model, task }: { readonly model: SwarmModel; readonly task: TaskSummary }): ReactNode {
  const t = useText();
  const { bytes, number, percent, duration } = useFormats();
  const { lastMs, ratio } = timingOf(model);
  const moved = task.origin_bytes + task.peer_bytes;
  return (
    <Card sx={{ p: { xs: 2, sm: 2.5 } }}>
      <Stack spacing={2}>
        <Stack direction="row" useFlexGap spacing={4} sx={{ flexWrap: 'wrap' }}>
          <Figure label={t('tasks.spread')} value={percent(spreadOf(task))} />
          <Figure label={t('tasks.originCopies')} value={number(originCopiesOf(task))} />
          <Figure label={t('task.fromPeers')} value={moved === 0 ? '–' : percent(task.peer_bytes / moved)} />
          <Figure label={t('task.lastAfter')} value={lastMs === undefined ? '–' : duration(lastMs)} />
          <Figure
            label={t('task.ratio')}
            value={ratio === undefined ? '–' : `${number(ratio)}×`}
            hint={t('task.ratioHint')}
          />
        </Stack>
        <LinearProgress
          variant="determinate"
          color={task.peers_failed > 0 ? 'warning' : 'primary'}
          value={spreadOf(task) * 100}
          aria-label={t('tasks.spread')}
          sx={{ height: 8, borderRadius: 4 }}
        />
        <Facts
          facts={[
            { name: t('field.state'), value: <StateChip state={task.state} /> },
            { name: t('task.peers'), value: t('tasks.peersOf', { finished: task.peers_finished, peers: task.peers }) },
            { name: t('task.failed'), value: number(task.peers_failed) },
            { name: t('tasks.size'), value: bytes(task.content_length) },
            { name: t('task.pieces'), value: `${number(task.piece_count)} × ${bytes(task.piece_length)}` },
            { name: t('field.cluster'), value: <ClusterLink id={task.scheduler_cluster_id} /> },
            { name: t('field.created'), value: <TimeText at={task.created_at_ms} /> },
            { name: t('task.tag'), value: task.tag },
            { name: t('task.application'), value: task.application },
            {
              name: t('tasks.id'),
              value: (
                <>
                  {task.id.slice(0, 8)}… <CopyButton text={task.id} />
                </>
              ),
            },
          ]}
        />
      </Stack>
    </Card>
  );
}

function Figure({
  label,
  value,
  hint,
}: {
  readonly label: string;
  readonly value: string;
  readonly hint?: string;
}): ReactNode {
  return (
    <Box title={hint}>
      <Typography variant="body2" color="textSecondary">
        {label}
      </Typography>
      <Typography sx={{ fontSize: '1.6rem', fontWeight: 650, fontVariantNumeric: 'tabular-nums', lineHeight: 1.3 }}>
        {value}
      </Typography>
    </Box>
  );
}
