/** Whether what is on the screen is live. */
import Box from '@mui/material/Box';
import Tooltip from '@mui/material/Tooltip';
import type { ReactNode } from 'react';
import { useLiveState } from '../events/live-events.tsx';
import { useText } from '../i18n/language.tsx';

const colors = { live: 'success.main', connecting: 'warning.main', off: 'text.disabled' } as const;

export function LiveMark(): ReactNode {
  const t = useText();
  const state = useLiveState();
  return (
    <Tooltip describeChild title={t(`live.${state}Hint`)}>
      <Box
        role="status"
        sx={{
          display: 'flex',
          alignItems: 'center',
          gap: 0.75,
          mr: 1,
          fontSize: '0.8rem',
          color: 'text.secondary',
          whiteSpace: 'nowrap',
        }}
      >
        <Box sx={{ width: 8, height: 8, borderRadius: '50%', bgcolor: colors[state], flexShrink: 0 }} />
        {t(`live.${state}`)}
      </Box>
    </Tooltip>
  );
}
