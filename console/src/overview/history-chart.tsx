/** Bars of equal times: what peers gave, and on top what the origin had to give. */
import Box from '@mui/material/Box';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import type { Schemas } from '../api/client.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';

interface HistoryChartProps {
  readonly steps: readonly Pick<Schemas['TrafficOfStep'], 'at_ms' | 'origin_bytes' | 'peer_bytes'>[];
  readonly toMs: number;
  readonly lengthMs: number;
  /** Time that one bar stands for. */
  readonly barMs: number;
}

const width = 600;
const height = 150;

export function HistoryChart({ steps, toMs, lengthMs, barMs }: HistoryChartProps): ReactNode {
  const t = useText();
  const { bytes, dateTime } = useFormats();
  const bars = Array.from({ length: Math.round(lengthMs / barMs) }, () => ({ origin: 0, peers: 0 }));
  for (const { at_ms: at, origin_bytes: origin, peer_bytes: peers } of steps) {
    const bar = bars[Math.min(bars.length - 1, Math.max(0, Math.floor((at - (toMs - lengthMs)) / barMs)))];
    if (!bar) continue;
    bar.origin += origin;
    bar.peers += peers;
  }
  const peak = Math.max(1, ...bars.map(({ origin, peers }) => origin + peers));
  const step = width / bars.length;
  return (
    <Box role="img" aria-label={t('history.chartLabel', { peak: bytes(peak) })}>
      <Typography variant="caption" color="textSecondary">
        {bytes(peak)}
      </Typography>
      <Box
        component="svg"
        aria-hidden
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        sx={{ width: '100%', height, display: 'block' }}
      >
        <line x1="0" x2={width} y1={height} y2={height} stroke="var(--mui-palette-divider)" />
        {bars.map(({ origin, peers }, index) => {
          const peersHeight = (peers / peak) * height;
          const originHeight = (origin / peak) * height;
          const place = { x: index * step + step * 0.1, width: step * 0.8 };
          return (
            <g key={index * step}>
              <rect {...place} y={height - peersHeight} height={peersHeight} fill="var(--mui-palette-source-peer)" />
              <rect
                {...place}
                y={height - peersHeight - originHeight}
                height={originHeight}
                fill="var(--mui-palette-source-origin)"
              />
            </g>
          );
        })}
      </Box>
      <Box
        aria-hidden
        sx={{ display: 'flex', justifyContent: 'space-between', color: 'text.secondary', fontSize: '0.75rem' }}
      >
        <span>{toMs === 0 ? '' : dateTime(new Date(toMs - lengthMs))}</span>
        <span>{t('overview.now')}</span>
      </Box>
    </Box>
  );
}
