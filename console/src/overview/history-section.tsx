/** What nodes got in the past, by source: a day in minutes, a month in hours, a year in days. */
import Box from '@mui/material/Box';
import Stack from '@mui/material/Stack';
import ToggleButton from '@mui/material/ToggleButton';
import ToggleButtonGroup from '@mui/material/ToggleButtonGroup';
import Typography from '@mui/material/Typography';
import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import Link from '@mui/material/Link';
import { api, dataOf } from '../api/client.ts';
import { Section } from '../components/section.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { HistoryChart } from './history-chart.tsx';

const hourMs = 3_600_000;
/** The steps of each range, and how often they are read again. */
const ranges = {
  day: { span: 'minute', lengthMs: 24 * hourMs, barMs: hourMs / 4, refetchMs: 60_000 },
  month: { span: 'hour', lengthMs: 30 * 24 * hourMs, barMs: 12 * hourMs, refetchMs: 600_000 },
  year: { span: 'day', lengthMs: 364 * 24 * hourMs, barMs: 7 * 24 * hourMs, refetchMs: 600_000 },
} as const;
type Range = keyof typeof ranges;
const rangeNames = ['day', 'month', 'year'] as const;

function trafficQuery(range: Range) {
  const { span, lengthMs, refetchMs } = ranges[range];
  return queryOptions({
    queryKey: ['traffic', range],
    queryFn: async ({ signal }) => {
      const toMs = Date.now() + 1;
      const query = { span, from_ms: toMs - lengthMs, to_ms: toMs };
      return { toMs, steps: await dataOf(api.GET('/api/v1/traffic', { params: { query }, signal })) };
    },
    placeholderData: keepPreviousData,
    refetchInterval: refetchMs,
    staleTime: refetchMs / 2,
  });
}

export function HistorySection(): ReactNode {
  const t = useText();
  const { bytes, number, percent } = useFormats();
  const [range, setRange] = useState<Range>('day');
  const { data } = useQuery(trafficQuery(range));
  const { lengthMs, barMs, span } = ranges[range];
  const steps = data?.steps ?? [];
  const origin = steps.reduce((sum, step) => sum + step.origin_bytes, 0);
  const peers = steps.reduce((sum, step) => sum + step.peer_bytes, 0);
  const downloads = steps.reduce((sum, step) => sum + step.downloads, 0);
  return (
    <Section
      title={t('history.title')}
      about={t('history.about')}
      actions={
        <ToggleButtonGroup
          exclusive
          size="small"
          value={range}
          aria-label={t('history.range')}
          onChange={(_event, chosen: Range | null) => chosen && setRange(chosen)}
        >
          {rangeNames.map((name) => (
            <ToggleButton key={name} value={name}>
              {t(`history.${name}`)}
            </ToggleButton>
          ))}
        </ToggleButtonGroup>
      }
    >
      <Stack direction="row" useFlexGap spacing={3} sx={{ flexWrap: 'wrap', mb: 1.5 }}>
        <Sum color="source.peer" label={t('overview.fromPeers')} value={bytes(peers)} />
        <Sum color="source.origin" label={t('overview.fromOrigin')} value={bytes(origin)} />
        <Sum label={t('overview.saved')} value={origin + peers === 0 ? '–' : percent(peers / (origin + peers))} />
        <Sum label={t('history.downloads')} value={number(downloads)} />
      </Stack>
      <HistoryChart steps={steps} toMs={data?.toMs ?? 0} lengthMs={lengthMs} barMs={barMs} />
      <Typography variant="body2" sx={{ mt: 1 }}>
        <Link href={new URL(`api/v1/traffic/csv?span=${span}`, document.baseURI).href} download>
          {t('history.csv')}
        </Link>
      </Typography>
    </Section>
  );
}

interface SumProps {
  readonly color?: string;
  readonly label: string;
  readonly value: string;
}

function Sum({ color, label, value }: SumProps): ReactNode {
  return (
    <Stack direction="row" spacing={1} sx={{ alignItems: 'baseline' }}>
      {color !== undefined && <Box aria-hidden sx={{ width: 10, height: 10, borderRadius: '3px', bgcolor: color }} />}
      <Typography variant="body2" color="textSecondary">
        {label}
      </Typography>
      <Typography sx={{ fontWeight: 650, fontVariantNumeric: 'tabular-nums' }}>{value}</Typography>
    </Stack>
  );
}
