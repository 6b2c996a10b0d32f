/** How everything is, at a glance. */
import Box from '@mui/material/Box';
import type { ReactNode } from 'react';
import { Page } from '../components/page.tsx';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { AlertsSection } from './alerts-section.tsx';
import { HealthCards } from './health-cards.tsx';
import { HistorySection } from './history-section.tsx';
import { RecentJobs } from './recent-jobs.tsx';
import { RunningTasks } from './running-tasks.tsx';
import { SavedCard } from './saved-card.tsx';
import { TrafficSection } from './traffic-section.tsx';

export function OverviewPage(): ReactNode {
  const t = useText();
  const seesEvents = useMay('events', 'read');
  const seesTasks = useMay('tasks', 'read');
  const seesTraffic = useMay('traffic', 'read');
  const seesJobs = useMay('jobs', 'read');
  return (
    <Page title={t('nav.overview')}>
      <HealthCards />
      {seesEvents && (
        <Box
          sx={{
            display: 'grid',
            gap: 2.5,
            gridTemplateColumns: { xs: 'minmax(0, 1fr)', lg: 'minmax(0, 2fr) minmax(0, 1fr)' },
          }}
        >
          <TrafficSection />
          <SavedCard />
        </Box>
      )}
      <AlertsSection />
      {seesTraffic && <HistorySection />}
      <Box
        sx={{
          display: 'grid',
          gap: 2.5,
          alignItems: 'start',
          gridTemplateColumns: { xs: 'minmax(0, 1fr)', lg: 'repeat(2, minmax(0, 1fr))' },
        }}
      >
        {seesTasks && <RunningTasks />}
        {seesJobs && <RecentJobs />}
      </Box>
    </Page>
  );
}
