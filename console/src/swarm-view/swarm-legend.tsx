import Box from '@mui/material/Box';
import Stack from '@mui/material/Stack';
import type { ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';

export function SwarmLegend(): ReactNode {
  const t = useText();
  const entries = [
    { color: 'source.origin', label: t('swarm.origin'), round: false },
    { color: 'source.seed', label: t('swarm.seed'), round: true },
    { color: 'source.peer', label: t('swarm.normal'), round: true },
    { color: 'error.main', label: t('swarm.failed'), round: true },
  ];
  return (
    <Stack
      direction="row"
      useFlexGap
      spacing={2}
      sx={{ flexWrap: 'wrap', mt: 1.5, fontSize: '0.82rem', color: 'text.secondary' }}
    >
      {entries.map(({ color, label, round }) => (
        <Stack key={label} direction="row" spacing={0.75} sx={{ alignItems: 'center' }}>
          <Box aria-hidden sx={{ width: 11, height: 11, bgcolor: color, borderRadius: round ? '50%' : '3px' }} />
          <span>{label}</span>
        </Stack>
      ))}
      <span>{t('swarm.legend')}</span>
    </Stack>
  );
}
