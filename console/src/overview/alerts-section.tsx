/** What wants attention, and where to go about it. Nothing to say is said too. */
import Alert from '@mui/material/Alert';
import Stack from '@mui/material/Stack';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { LinkButton } from '../components/link-button.tsx';
import { Section } from '../components/section.tsx';
import { ConcernList } from '../concerns/concern-list.tsx';
import { useConcerns } from '../concerns/concern-queries.ts';
import { useText } from '../i18n/language.tsx';
import { jobsQuery } from '../jobs/job-queries.ts';
import { useMay } from '../session/use-session.ts';
import { useHealth, type MemberCount } from './health-queries.ts';

interface Notice {
  readonly severity: 'error' | 'warning';
  readonly text: string;
  readonly to: string;
}

export function AlertsSection(): ReactNode {
  const t = useText();
  const concerns = useConcerns();
  const notices = useNotices(concerns.some(({ kind }) => kind === 'no-scheduler'));
  return (
    <Section title={t('overview.alerts')}>
      <Stack spacing={1}>
        {notices.length === 0 && concerns.every(({ acknowledged_by: by }) => by !== '') && (
          <Alert severity="success">{t('alert.none')}</Alert>
        )}
        <ConcernList concerns={concerns} />
        {notices.map(({ severity, text, to }) => (
          <Alert
            key={to}
            severity={severity}
            action={
              <LinkButton to={to} color="inherit" size="small">
                {t('alert.show')}
              </LinkButton>
            }
          >
            {text}
          </Alert>
        ))}
      </Stack>
    </Section>
  );
}

/** What is counted rather than watched. @param isSaid that there is no scheduler. */
function useNotices(isSaid: boolean): readonly Notice[] {
  const t = useText();
  const { schedulers, seedPeers } = useHealth();
  const failedJobs = useQuery({ ...jobsQuery({ state: 'FAILURE', per_page: 1 }), enabled: useMay('jobs', 'read') });
  const notices: Notice[] = [];
  if (schedulers.active === 0 && !isSaid)
    notices.push({ severity: 'error', text: t('alert.noScheduler'), to: '/schedulers' });
  if (missing(seedPeers) > 0) {
    notices.push({
      severity: 'warning',
      text: t('alert.seedPeers', { count: missing(seedPeers) }),
      to: '/seed-peers?state=inactive',
    });
  }
  const failed = failedJobs.data?.total ?? 0;
  if (failed > 0)
    notices.push({ severity: 'warning', text: t('alert.jobs', { count: failed }), to: '/jobs?state=FAILURE' });
  return notices;
}

function missing({ total = 0, active = total }: MemberCount): number {
  return total - active;
}
