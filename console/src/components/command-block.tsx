/** A command or file to copy and paste. The button stands beside it: what is too long moves under nothing. */
import Box from '@mui/material/Box';
import type { ReactNode } from 'react';
import { monospace } from '../app/theme.ts';
import { CopyButton } from './copy-button.tsx';

interface CommandBlockProps {
  readonly label: string;
  readonly children: string;
}

export function CommandBlock({ label, children }: CommandBlockProps): ReactNode {
  return (
    <Box
      sx={{
        display: 'flex',
        alignItems: 'flex-start',
        width: '100%',
        bgcolor: 'background.default',
        border: 1,
        borderColor: 'divider',
        borderRadius: 2,
        textAlign: 'left',
      }}
    >
      <Box
        component="pre"
        tabIndex={0}
        role="group"
        aria-label={label}
        sx={{
          m: 0,
          p: 2,
          flex: '1 1 auto',
          minWidth: 0,
          overflowX: 'auto',
          fontFamily: monospace,
          fontSize: '0.82rem',
          lineHeight: 1.6,
        }}
      >
        {children}
      </Box>
      <Box sx={{ flex: 'none', p: 0.75 }}>
        <CopyButton text={children} />
      </Box>
    </Box>
  );
}
