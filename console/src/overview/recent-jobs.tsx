import Box from '@mui/material/Box';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { LinkButton } from '../components/link-button.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useText } from '../i18n/language.tsx';
import { jobsQuery, shownState, subjectOf, typeOf } from '../jobs/job-queries.ts';

const shown = 6;

export function RecentJobs(): ReactNode {
  const t = useText();
  const { data } = useQuery(jobsQuery({ per_page: shown }));
  const rows = data?.rows ?? [];
  return (
    <Section
      title={t('overview.recentJobs')}
      actions={
        <LinkButton to="/jobs" size="small">
          {t('overview.all')}
        </LinkButton>
      }
    >
      {rows.length === 0 && <Typography color="textSecondary">{t('jobs.none')}</Typography>}
      <Stack component="ul" spacing={1.5} sx={{ m: 0, p: 0, listStyle: 'none' }}>
        {rows.map((job) => (
          <Box component="li" key={job.id} sx={{ display: 'flex', gap: 1.5, alignItems: 'center' }}>
            <Box sx={{ flex: 1, minWidth: 0 }}>
              <TextLink to={`/jobs/${job.id}`}>
                #{job.id} · {t(`jobType.${typeOf(job)}`)}
              </TextLink>
              <Typography variant="body2" color="textSecondary" noWrap>
                {subjectOf(job) || job.bio || '–'}
              </Typography>
            </Box>
            <Typography variant="body2" color="textSecondary" sx={{ display: { xs: 'none', sm: 'block' } }}>
              <TimeText at={job.created_at} />
            </Typography>
            <StateChip state={shownState(job)} />
          </Box>
        ))}
      </Stack>
    </Section>
  );
}
