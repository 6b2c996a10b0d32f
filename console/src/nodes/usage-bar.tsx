/** How much of a disk or a memory is used, in words and as a bar. */
import Box from '@mui/material/Box';
import LinearProgress from '@mui/material/LinearProgress';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';

interface UsageBarProps {
  /** For those who hear it. */
  readonly label: string;
  /** Bytes; 0 while unknown. */
  readonly total: number;
  readonly free: number;
  /** Only the share. */
  readonly brief?: boolean;
}

/** From here on the manager tells of it. */
const fullShare = 0.95;

export function UsageBar({ label, total, free, brief = false }: UsageBarProps): ReactNode {
  const t = useText();
  const { bytes, percent } = useFormats();
  if (total === 0) return '–';
  const used = 1 - free / total;
  return (
    <Box sx={{ minWidth: 80 }}>
      <Typography variant="body2" sx={{ fontVariantNumeric: 'tabular-nums' }}>
        {brief ? percent(Math.round(used * 100) / 100) : t('nodes.freeOf', { free: bytes(free), total: bytes(total) })}
      </Typography>
      <LinearProgress
        variant="determinate"
        value={used * 100}
        color={used >= fullShare ? 'warning' : 'primary'}
        aria-label={label}
        sx={{ borderRadius: 2 }}
      />
    </Box>
  );
}
