import LinearProgress from '@mui/material/LinearProgress';
import type { ReactNode } from 'react';
import { useNavigation } from 'react-router';
import { useText } from '../i18n/language.tsx';

/** A page is on its way. */
export function RouteProgress(): ReactNode {
  const t = useText();
  const { state } = useNavigation();
  if (state === 'idle') return null;
  return (
    <LinearProgress
      aria-label={t('common.loading')}
      sx={{ position: 'absolute', top: 0, left: 0, right: 0, height: 2 }}
    />
  );
}
