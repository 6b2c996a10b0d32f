/** What the origin was spared. */
import Box from '@mui/material/Box';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { Facts } from '../components/facts.tsx';
import { Section } from '../components/section.tsx';
import { useTraffic } from '../events/live-events.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';

export function SavedCard(): ReactNode {
  const t = useText();
  const { bytes, percent, number } = useFormats();
  const traffic = useTraffic();
  const total = traffic ? traffic.originBytes + traffic.peerBytes : 0;
  const saved = traffic && total > 0 ? traffic.peerBytes / total : 0;
  return (
    <Section title={t('overview.saved')} about={t('overview.savedAbout')}>
      <Typography sx={{ fontSize: '2.4rem', fontWeight: 700, lineHeight: 1.2, color: 'primary.main' }}>
        {total === 0 ? '–' : percent(saved)}
      </Typography>
      <Box
        aria-hidden
        sx={{ display: 'flex', height: 8, borderRadius: 4, overflow: 'hidden', my: 1.5, bgcolor: 'action.hover' }}
      >
        <Box sx={{ width: `${saved * 100}%`, bgcolor: 'source.peer' }} />
        <Box sx={{ width: total === 0 ? 0 : `${(1 - saved) * 100}%`, bgcolor: 'source.origin' }} />
      </Box>
      <Facts
        facts={[
          { name: t('overview.fromPeers'), value: traffic && bytes(traffic.peerBytes) },
          { name: t('overview.fromOrigin'), value: traffic && bytes(traffic.originBytes) },
          { name: t('overview.hosts'), value: traffic && number(traffic.hosts) },
          { name: t('overview.running'), value: traffic && number(traffic.peersRunning) },
        ]}
      />
    </Section>
  );
}
