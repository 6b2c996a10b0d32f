import Chip from '@mui/material/Chip';
import type { ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';
import type { Release } from './release-queries.ts';

/** How far a version is with those that follow its name, and whether it leads them back. */
export function ReleaseState({ release }: { readonly release: Release }): ReactNode {
  const t = useText();
  const {
    is_newest: isNewest,
    returns_to: old,
    running_count: has,
    subscriber_count: all,
    failed_count: failed,
  } = release;
  if (!isNewest) return <Chip size="small" variant="outlined" label={t('releases.superseded')} />;
  if (failed > 0)
    return <Chip size="small" color="error" variant="outlined" label={t('releases.failing', { failed })} />;
  if (has < all) return <Chip size="small" color="info" variant="outlined" label={t('releases.spreading')} />;
  if (old !== '')
    return <Chip size="small" color="warning" variant="outlined" label={t('releases.returned', { version: old })} />;
  return <Chip size="small" color="success" variant="outlined" label={t('releases.current')} />;
}
