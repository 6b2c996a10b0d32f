/** The frame of the pages before one is signed in. */
import Box from '@mui/material/Box';
import Card from '@mui/material/Card';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useEffect, type ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';
import { LanguageButton } from '../layout/language-button.tsx';
import { SchemeButton } from '../layout/scheme-button.tsx';
import { SwarmPicture } from './swarm-picture.tsx';

export function Entrance({ title, children }: { readonly title: string; readonly children: ReactNode }): ReactNode {
  const t = useText();
  useEffect(() => {
    document.title = `${title} · Dragonfly`;
  }, [title]);
  return (
    <Box sx={{ minHeight: '100vh', display: 'flex', flexDirection: 'column' }}>
      <Box component="header" sx={{ display: 'flex', justifyContent: 'flex-end', p: 1 }}>
        <LanguageButton />
        <SchemeButton />
      </Box>
      <Box component="main" sx={{ flex: 1, display: 'grid', placeItems: 'center', p: 2 }}>
        <Card sx={{ width: '100%', maxWidth: 860, display: 'grid', gridTemplateColumns: { xs: '1fr', md: '1fr 1fr' } }}>
          <Stack
            spacing={2}
            sx={{
              p: 4,
              justifyContent: 'space-between',
              bgcolor: 'background.default',
              display: { xs: 'none', md: 'flex' },
            }}
          >
            <SwarmPicture />
            <div>
              <Typography component="p" variant="h1">
                Dragonfly
              </Typography>
              <Typography color="textSecondary">{t('signIn.about')}</Typography>
            </div>
          </Stack>
          <Stack spacing={2.5} sx={{ p: 4, justifyContent: 'center' }}>
            <Stack direction="row" spacing={1.5} sx={{ alignItems: 'center' }}>
              <Box component="img" src="./icon.svg" alt="" sx={{ width: 36, height: 36 }} />
              <Typography variant="h1">{title}</Typography>
            </Stack>
            {children}
          </Stack>
        </Card>
      </Box>
    </Box>
  );
}
