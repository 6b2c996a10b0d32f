/** Nothing here yet, and how that changes. */
import Card from '@mui/material/Card';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';

interface EmptyStateProps {
  readonly title: string;
  readonly text?: ReactNode;
  readonly children?: ReactNode;
}

export function EmptyState({ title, text, children }: EmptyStateProps): ReactNode {
  return (
    <Card sx={{ borderStyle: 'dashed' }}>
      <Stack spacing={2} sx={{ alignItems: 'center', textAlign: 'center', px: 3, py: 6, maxWidth: 760, mx: 'auto' }}>
        <Typography variant="h2">{title}</Typography>
        {text !== undefined && <Typography color="textSecondary">{text}</Typography>}
        {children}
      </Stack>
    </Card>
  );
}
