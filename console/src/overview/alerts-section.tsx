/** What wants attention, and where to go about it. Nothing to say is said too. */
import Alert from '@mui/material/Alert';
import Stack from '@mui/material/Stack';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { LinkButton } from '../components/link-button.tsx';
import { Section } from '../components/section.tsx';
import { useText } from '../i18n/language.tsx';
import { jobsQuery } from '../jobs/job-queries.ts';
import { useMay } from '../session/use-session.ts';
import { useHealth, type MemberCount } from './health-queries.ts';

interface Concern {
  readonly severity: 'error' | 'warning';
  readonly text: string;
  readonly to: string;
}

export function AlertsSection(): ReactNode {
  const t = useText();
  const { schedulers, seedPeers } = useHealth();
  const failedJobs = useQuery({ ...jobsQuery({ state: 'FAILURE', per_page: 1 }), enabled: useMay('jobs', 'read') });
  const concerns: Concern[] = [];
  if (schedulers.active === 0) concerns.push({ severity: 'error', text: t('alert.noScheduler'), to: '/schedulers' });
  else if (missing(schedulers) > 0) {
    concerns.push({
      severity: 'warning',
      text: t('alert.schedulers', { count: missing(schedulers) }),
      to: '/schedulers?state=inactive',
    });
  }
  if (missing(seedPeers) > 0) {
    concerns.push({
      severity: 'warning',
      text: t('alert.seedPeers', { count: missing(seedPeers) }),
      to: '/seed-peers?state=inactive',
    });
  }
  const failed = failedJobs.data?.total ?? 0;
  if (failed > 0)
    concerns.push({ severity: 'warning', text: t('alert.jobs', { count: failed }), to: '/jobs?state=FAILURE' });
  return (
    <Section title={t('overview.alerts')}>
      <Stack spacing={1}>
        {concerns.length === 0 && <Alert severity="success">{t('alert.none')}</Alert>}
        {concerns.map(({ severity, text, to }) => (
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

function missing({ total = 0, active = total }: MemberCount): number {
  return total - active;
}
