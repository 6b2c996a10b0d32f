/** What a node got and gave in the chosen time, beside the time before. */
import ToggleButton from '@mui/material/ToggleButton';
import ToggleButtonGroup from '@mui/material/ToggleButtonGroup';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { Facts } from '../components/facts.tsx';
import { Section } from '../components/section.tsx';
import { ChangeText } from '../history/change-text.tsx';
import { rangeNames, ranges, savedShare, shareQuery, shareStepsQuery, type Range } from '../history/history-queries.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { HistoryChart } from '../overview/history-chart.tsx';

export function NodeTraffic({ name }: { readonly name: string }): ReactNode {
  const t = useText();
  const { bytes, number, percent } = useFormats();
  const [range, setRange] = useState<Range>('week');
  const share = useQuery(shareQuery('node', name, range)).data;
  const { data } = useQuery(shareStepsQuery('node', name, range));
  const saved = share ? savedShare(share) : undefined;
  const compared = (of: 'origin_bytes' | 'peer_bytes' | 'given_bytes'): ReactNode => (
    <>
      {bytes(share?.[of] ?? 0)} <ChangeText now={share?.[of] ?? 0} before={share?.before[of] ?? 0} />
    </>
  );
  return (
    <Section
      title={t('nodes.traffic')}
      about={t('history.compared')}
      actions={
        <ToggleButtonGroup
          exclusive
          size="small"
          value={range}
          aria-label={t('history.range')}
          onChange={(_event, chosen: Range | null) => chosen && setRange(chosen)}
        >
          {rangeNames.map((value) => (
            <ToggleButton key={value} value={value}>
              {t(`history.${value}`)}
            </ToggleButton>
          ))}
        </ToggleButtonGroup>
      }
    >
      <Facts
        facts={[
          { name: t('overview.fromPeers'), value: compared('peer_bytes') },
          { name: t('overview.fromOrigin'), value: compared('origin_bytes') },
          { name: t('overview.saved'), value: saved === undefined ? '–' : percent(saved) },
          { name: t('history.given'), value: compared('given_bytes') },
          { name: t('history.downloads'), value: number(share?.downloads ?? 0) },
          { name: t('history.failures'), value: number(share?.failures ?? 0) },
        ]}
      />
      <HistoryChart steps={data?.steps ?? []} toMs={data?.toMs ?? 0} {...ranges[range]} />
    </Section>
  );
}
