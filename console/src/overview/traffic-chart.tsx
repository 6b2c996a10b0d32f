/** Two stacked areas over the last minutes: what peers gave, and on top what the origin had to give. */
import Box from '@mui/material/Box';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import type { TrafficSample } from '../events/traffic-history.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';

const width = 600;
const height = 170;
const windowMs = 180_000;

export function TrafficChart({ samples }: { readonly samples: readonly TrafficSample[] }): ReactNode {
  const t = useText();
  const { rate } = useFormats();
  const endMs = samples.at(-1)?.atMs ?? 0;
  const peak = niceCeiling(
    Math.max(
      1024 * 1024,
      ...samples.map(({ originBytesPerSec, peerBytesPerSec }) => originBytesPerSec + peerBytesPerSec),
    ),
  );
  const x = ({ atMs }: TrafficSample): number => width - ((endMs - atMs) / windowMs) * width;
  const y = (value: number): number => height - (value / peak) * height;
  const peers = samples.map((sample) => ({ x: x(sample), low: height, high: y(sample.peerBytesPerSec) }));
  const origin = samples.map((sample, index) => ({
    x: x(sample),
    low: peers[index]?.high ?? height,
    high: y(sample.peerBytesPerSec + sample.originBytesPerSec),
  }));
  return (
    <Box
      role="img"
      aria-label={t('overview.chartLabel', { peak: rate(peak) })}
      sx={{ position: 'relative', height: 190 }}
    >
      <Box
        component="svg"
        aria-hidden
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        sx={{
          width: '100%',
          height: 170,
          display: 'block',
          overflow: 'hidden',
          '& path, & line': { vectorEffect: 'non-scaling-stroke' },
        }}
      >
        {[0.25, 0.5, 0.75, 1].map((share) => (
          <line
            key={share}
            x1="0"
            x2={width}
            y1={height * share}
            y2={height * share}
            stroke="var(--mui-palette-divider)"
          />
        ))}
        <Area points={peers} color="var(--mui-palette-source-peer)" />
        <Area points={origin} color="var(--mui-palette-source-origin)" />
      </Box>
      <Typography variant="caption" color="textSecondary" sx={{ position: 'absolute', top: 0, left: 0 }}>
        {rate(peak)}
      </Typography>
      <Box
        aria-hidden
        sx={{ display: 'flex', justifyContent: 'space-between', color: 'text.secondary', fontSize: '0.75rem' }}
      >
        <span>{t('overview.minutesAgo', { minutes: windowMs / 60_000 })}</span>
        <span>{t('overview.now')}</span>
      </Box>
    </Box>
  );
}

interface AreaPoint {
  readonly x: number;
  readonly low: number;
  readonly high: number;
}

function Area({ points, color }: { readonly points: readonly AreaPoint[]; readonly color: string }): ReactNode {
  if (points.length < 2) return null;
  const upper = points.map(({ x, high }) => `${x.toFixed(1)},${high.toFixed(1)}`);
  const lower = points.toReversed().map(({ x, low }) => `${x.toFixed(1)},${low.toFixed(1)}`);
  return (
    <>
      <path d={`M${[...upper, ...lower].join('L')}Z`} fill={color} fillOpacity="0.25" />
      <path d={`M${upper.join('L')}`} fill="none" stroke={color} strokeWidth="1.8" />
    </>
  );
}

/** The next power of two, so that the scale rests while values move. */
function niceCeiling(value: number): number {
  const step = 2 ** Math.floor(Math.log2(value));
  return step >= value ? step : step * 2;
}
