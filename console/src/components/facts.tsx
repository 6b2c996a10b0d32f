/** Names and values of one thing. */
import Box from '@mui/material/Box';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';

export interface Fact {
  readonly name: string;
  readonly value: ReactNode;
  /** Takes a line of its own. */
  readonly wide?: boolean;
}

export function Facts({ facts }: { readonly facts: readonly Fact[] }): ReactNode {
  return (
    <Box
      component="dl"
      sx={{ m: 0, display: 'grid', gap: 2, gridTemplateColumns: 'repeat(auto-fill, minmax(min(100%, 130px), 1fr))' }}
    >
      {facts.map(({ name, value, wide = false }) => (
        <Box key={name} sx={{ minWidth: 0, ...(wide && { gridColumn: '1 / -1' }) }}>
          <Typography component="dt" variant="body2" color="textSecondary">
            {name}
          </Typography>
          <Typography component="dd" sx={{ m: 0, overflowWrap: 'anywhere' }}>
            {value === '' || value === undefined ? '–' : value}
          </Typography>
        </Box>
      ))}
    </Box>
  );
}
