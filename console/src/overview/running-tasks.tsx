import Box from '@mui/material/Box';
import LinearProgress from '@mui/material/LinearProgress';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { LinkButton } from '../components/link-button.tsx';
import { Section } from '../components/section.tsx';
import { TextLink } from '../components/text-link.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { nameOf, spreadOf, tasksQuery, useLiveTasks } from '../tasks/task-queries.ts';

const shown = 6;

export function RunningTasks(): ReactNode {
  const t = useText();
  const { bytes } = useFormats();
  useLiveTasks();
  const { data } = useQuery(tasksQuery({ per_page: shown }));
  const rows = data?.rows ?? [];
  return (
    <Section
      title={t('overview.tasks')}
      actions={
        <LinkButton to="/tasks" size="small">
          {t('overview.all')}
        </LinkButton>
      }
    >
      {rows.length === 0 && <Typography color="textSecondary">{t('tasks.none')}</Typography>}
      <Stack component="ul" spacing={1.5} sx={{ m: 0, p: 0, listStyle: 'none' }}>
        {rows.map((task) => (
          <Box component="li" key={task.id}>
            <Stack direction="row" spacing={1} sx={{ justifyContent: 'space-between' }}>
              <Box sx={{ minWidth: 0 }}>
                <TextLink to={`/tasks/${task.id}`}>{nameOf(task)}</TextLink>
              </Box>
              <Typography variant="body2" color="textSecondary" noWrap>
                {t('tasks.peersOf', { finished: task.peers_finished, peers: task.peers })} ·{' '}
                {bytes(task.content_length)}
              </Typography>
            </Stack>
            <LinearProgress
              variant="determinate"
              value={spreadOf(task) * 100}
              aria-label={nameOf(task)}
              sx={{ mt: 0.5, borderRadius: 2 }}
            />
          </Box>
        ))}
      </Stack>
    </Section>
  );
}
