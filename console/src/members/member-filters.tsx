import type { ReactNode } from 'react';
import { FilterBar } from '../components/filter-bar.tsx';
import { ChoiceFilter, TextFilter } from '../components/filter-fields.tsx';
import type { ListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';

export const memberFilters = ['search', 'state'] as const;
type MemberFilter = (typeof memberFilters)[number];

export function MemberFilters({ list }: { readonly list: ListState<MemberFilter> }): ReactNode {
  const t = useText();
  const { filters, setFilter } = list;
  const states = [
    { value: 'active', label: t('state.active') },
    { value: 'inactive', label: t('state.inactive') },
  ];
  return (
    <FilterBar list={list}>
      <TextFilter label={t('table.search')} value={filters.search} onChange={(value) => setFilter('search', value)} />
      <ChoiceFilter
        label={t('field.state')}
        value={filters.state}
        choices={states}
        onChange={(value) => setFilter('state', value)}
      />
    </FilterBar>
  );
}
