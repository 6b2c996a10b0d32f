/** Who belongs to a cluster, in short. */
import Chip from '@mui/material/Chip';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';
import type { ClusterScopes } from './cluster-queries.ts';

const shown = 4;

export function ScopeChips({
  scopes,
  all = false,
}: {
  readonly scopes: ClusterScopes;
  readonly all?: boolean;
}): ReactNode {
  const t = useText();
  const { idc = '', location = '', cidrs = [], hostnames = [] } = scopes;
  const parts = [...idc.split('|'), location.replaceAll('|', ' › '), ...cidrs, ...hostnames].filter(
    (part) => part !== '',
  );
  if (parts.length === 0) {
    return (
      <Typography variant="body2" color="textSecondary">
        {t('clusters.anyHost')}
      </Typography>
    );
  }
  const visible = all ? parts : parts.slice(0, shown);
  return (
    <Stack direction="row" useFlexGap spacing={0.5} sx={{ flexWrap: 'wrap', alignItems: 'center' }}>
      {visible.map((part) => (
        <Chip key={part} size="small" variant="outlined" label={part} sx={{ maxWidth: 220 }} />
      ))}
      {parts.length > visible.length && <Typography variant="body2">+{parts.length - visible.length}</Typography>}
    </Stack>
  );
}
