import Box from '@mui/material/Box';
import Card from '@mui/material/Card';
import CardActionArea from '@mui/material/CardActionArea';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useTraffic } from '../events/live-events.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import type { Translate } from '../i18n/text.ts';
import { useMay } from '../session/use-session.ts';
import { useHealth, type MemberCount } from './health-queries.ts';

export function HealthCards(): ReactNode {
  const t = useText();
  const { clusters, schedulers, seedPeers, peers } = useHealth();
  const hosts = useTraffic()?.hosts ?? 0;
  return (
    <Box
      sx={{
        display: 'grid',
        gap: 2,
        gridTemplateColumns: { xs: 'repeat(2, minmax(0, 1fr))', md: 'repeat(4, minmax(0, 1fr))' },
      }}
    >
      {useMay('clusters', 'read') && (
        <HealthCard to="/clusters" label={t('nav.clusters')} count={{ total: clusters, active: undefined }} />
      )}
      {useMay('schedulers', 'read') && <HealthCard to="/schedulers" label={t('nav.schedulers')} count={schedulers} />}
      {useMay('seed-peers', 'read') && <HealthCard to="/seed-peers" label={t('nav.seedPeers')} count={seedPeers} />}
      {useMay('peers', 'read') && (
        <HealthCard
          to="/peers"
          label={t('nav.peers')}
          // The list of peers is brought up to date now and then; how many are online is known at once.
          count={{ total: hosts > 0 ? Math.max(hosts, peers.total ?? 0) : peers.total, active: peers.active }}
          note={hosts > 0 ? t('overview.online', { count: hosts }) : undefined}
        />
      )}
    </Box>
  );
}

interface HealthCardProps {
  readonly to: string;
  readonly label: string;
  readonly count: MemberCount;
  /** Instead of how many are active. */
  readonly note?: string | undefined;
}

/** It has its place before its figures have come, so that nothing below it moves. */
function HealthCard({ to, label, count: { total, active }, note }: HealthCardProps): ReactNode {
  const t = useText();
  const { number } = useFormats();
  const missing = note !== undefined || total === undefined || active === undefined ? 0 : total - active;
  return (
    <Card>
      <CardActionArea component={Link} to={to} sx={{ p: 2, height: '100%' }}>
        <Typography variant="body2" color="textSecondary">
          {label}
        </Typography>
        <Typography sx={{ fontSize: '1.75rem', fontWeight: 650, lineHeight: 1.3 }}>
          {total === undefined ? '–' : number(total)}
        </Typography>
        <Typography variant="body2" sx={{ color: missing > 0 ? 'warning.main' : 'text.secondary' }}>
          {note ?? stateText({ total, active }, t)}
        </Typography>
      </CardActionArea>
    </Card>
  );
}

function stateText({ total, active }: MemberCount, t: Translate): string {
  if (total === undefined || active === undefined) return '\u00a0';
  if (active < total) return t('overview.inactive', { count: total - active });
  return t(total > 0 ? 'overview.allActive' : 'overview.none');
}
