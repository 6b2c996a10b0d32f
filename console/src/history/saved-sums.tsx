/** What came in all, what of it the origin was spared, and how that was before. */
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { ChangeText } from './change-text.tsx';
import { savedShare, type TrafficFigures } from './history-queries.ts';

interface SavedSumsProps {
  readonly total: TrafficFigures;
  readonly before: TrafficFigures;
}

export function SavedSums({ total, before }: SavedSumsProps): ReactNode {
  const t = useText();
  const { bytes, number, percent } = useFormats();
  const [share, shareBefore] = [savedShare(total), savedShare(before)];
  return (
    <Stack direction="row" useFlexGap spacing={4} sx={{ flexWrap: 'wrap', mb: 2 }}>
      <Sum label={t('overview.fromPeers')} value={bytes(total.peer_bytes)}>
        <ChangeText now={total.peer_bytes} before={before.peer_bytes} />
      </Sum>
      <Sum label={t('overview.fromOrigin')} value={bytes(total.origin_bytes)}>
        <ChangeText now={total.origin_bytes} before={before.origin_bytes} />
      </Sum>
      <Sum label={t('overview.saved')} value={share === undefined ? '–' : percent(share)}>
        {shareBefore !== undefined && (
          <Typography component="span" variant="caption" color="textSecondary">
            {t('history.before', { value: percent(shareBefore) })}
          </Typography>
        )}
      </Sum>
      <Sum label={t('history.downloads')} value={number(total.downloads)}>
        <ChangeText now={total.downloads} before={before.downloads} />
      </Sum>
    </Stack>
  );
}

interface SumProps {
  readonly label: string;
  readonly value: string;
  readonly children: ReactNode;
}

function Sum({ label, value, children }: SumProps): ReactNode {
  return (
    <div>
      <Typography variant="body2" color="textSecondary">
        {label}
      </Typography>
      <Typography sx={{ fontSize: '1.4rem', fontWeight: 650, fontVariantNumeric: 'tabular-nums' }}>{value}</Typography>
      {children}
    </div>
  );
}
