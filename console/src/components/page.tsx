/** The frame of a page: its title, the way back, what can be done here. */
import Box from '@mui/material/Box';
import Breadcrumbs from '@mui/material/Breadcrumbs';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useEffect, type ReactNode } from 'react';
import { TextLink } from './text-link.tsx';

export interface Crumb {
  readonly label: string;
  readonly to: string;
}

interface PageProps {
  readonly title: string;
  readonly about?: ReactNode;
  readonly crumbs?: readonly Crumb[];
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

export function Page({ title, about, crumbs = [], actions, children }: PageProps): ReactNode {
  useEffect(() => {
    document.title = `${title} · Dragonfly`;
  }, [title]);
  return (
    <Stack spacing={2.5}>
      <Box component="header">
        {crumbs.length > 0 && (
          <Breadcrumbs sx={{ mb: 0.5, fontSize: '0.85rem', displayPrint: 'none' }}>
            {crumbs.map(({ label, to }) => (
              <TextLink key={to} to={to}>
                {label}
              </TextLink>
            ))}
            <Typography component="span" color="textSecondary" sx={{ fontSize: 'inherit' }}>
              {title}
            </Typography>
          </Breadcrumbs>
        )}
        <Stack direction={{ xs: 'column', sm: 'row' }} useFlexGap spacing={1.5}>
          <Box sx={{ flex: '1 1 auto', minWidth: 0, overflowWrap: 'anywhere' }}>
            <Typography variant="h1" sx={{ lineHeight: '40px' }}>
              {title}
            </Typography>
            {about !== undefined && about !== '' && (
              <Typography color="textSecondary" sx={{ maxWidth: 720 }}>
                {about}
              </Typography>
            )}
          </Box>
          {actions !== undefined && actions !== false && (
            <Stack
              direction="row"
              useFlexGap
              spacing={1.5}
              sx={{ flexWrap: 'wrap', flexShrink: 0, alignItems: 'start', displayPrint: 'none' }}
            >
              {actions}
            </Stack>
          )}
        </Stack>
      </Box>
      {children}
    </Stack>
  );
}
