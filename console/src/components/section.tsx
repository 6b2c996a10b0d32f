/** A titled card. */
import Box from '@mui/material/Box';
import Card from '@mui/material/Card';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useId, type ReactNode } from 'react';

interface SectionProps {
  readonly title: string;
  readonly about?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

export function Section({ title, about, actions, children }: SectionProps): ReactNode {
  const id = useId();
  return (
    <Card component="section" aria-labelledby={id} sx={{ p: { xs: 2, sm: 2.5 } }}>
      <Stack
        direction="row"
        useFlexGap
        spacing={1}
        sx={{ mb: 2, flexWrap: 'wrap', alignItems: about === undefined ? 'center' : 'flex-start' }}
      >
        <Box sx={{ flex: '1 1 200px' }}>
          <Typography id={id} variant="h2">
            {title}
          </Typography>
          {about !== undefined && (
            <Typography variant="body2" color="textSecondary">
              {about}
            </Typography>
          )}
        </Box>
        {actions}
      </Stack>
      {children}
    </Card>
  );
}
