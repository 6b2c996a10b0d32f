import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import type { ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';
import type { ListState } from './use-list-state.ts';

interface FilterBarProps {
  readonly list: Pick<ListState, 'filtered' | 'clearFilters'>;
  readonly children: ReactNode;
}

export function FilterBar({ list, children }: FilterBarProps): ReactNode {
  const t = useText();
  return (
    <Stack direction="row" useFlexGap spacing={1.5} role="search" sx={{ flexWrap: 'wrap', alignItems: 'center' }}>
      {children}
      {list.filtered && <Button onClick={list.clearFilters}>{t('table.clearFilters')}</Button>}
    </Stack>
  );
}
