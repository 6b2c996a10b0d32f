/** Bytes per second by where they come from, live. */
import Box from '@mui/material/Box';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { Section } from '../components/section.tsx';
import { useTraffic } from '../events/live-events.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { TrafficChart } from './traffic-chart.tsx';

export function TrafficSection(): ReactNode {
  const t = useText();
  const { rate } = useFormats();
  const samples = useTraffic()?.samples ?? [];
  const last = samples.at(-1);
  return (
    <Section title={t('overview.traffic')} about={t('overview.trafficAbout')}>
      <Stack direction="row" useFlexGap spacing={3} sx={{ flexWrap: 'wrap', mb: 1.5 }}>
        <Source color="source.peer" label={t('overview.fromPeers')} value={last ? rate(last.peerBytesPerSec) : '–'} />
        <Source
          color="source.origin"
          label={t('overview.fromOrigin')}
          value={last ? rate(last.originBytesPerSec) : '–'}
        />
      </Stack>
      <TrafficChart samples={samples} />
    </Section>
  );
}

function Source({
  color,
  label,
  value,
}: {
  readonly color: string;
  readonly label: string;
  readonly value: string;
}): ReactNode {
  return (
    <Stack direction="row" spacing={1} sx={{ alignItems: 'baseline' }}>
      <Box aria-hidden sx={{ width: 10, height: 10, borderRadius: '3px', bgcolor: color }} />
      <Typography variant="body2" color="textSecondary">
        {label}
      </Typography>
      <Typography sx={{ fontWeight: 650, fontVariantNumeric: 'tabular-nums' }}>{value}</Typography>
    </Stack>
  );
}
