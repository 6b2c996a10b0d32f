/** How much more or less something is than in the time before. */
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';

interface ChangeTextProps {
  readonly now: number;
  readonly before: number;
}

export function ChangeText({ now, before }: ChangeTextProps): ReactNode {
  const t = useText();
  const { percent } = useFormats();
  if (before === 0) return now === 0 ? null : <Muted>{t('history.new')}</Muted>;
  const share = now / before - 1;
  if (Math.abs(share) < 0.005) return <Muted>{t('history.same')}</Muted>;
  return <Muted>{t(share > 0 ? 'history.more' : 'history.less', { share: percent(Math.abs(share)) })}</Muted>;
}

function Muted({ children }: { readonly children: ReactNode }): ReactNode {
  return (
    <Typography component="span" variant="caption" color="textSecondary" sx={{ whiteSpace: 'nowrap' }}>
      {children}
    </Typography>
  );
}
