/** Page and filters of a list, kept in the URL: a list can be bookmarked, shared and walked through with “back”. */
import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';

export interface ListState<Filter extends string = string> {
  readonly page: number;
  readonly perPage: number;
  /** Only those that are set. */
  readonly filters: Readonly<Partial<Record<Filter, string>>>;
  readonly filtered: boolean;
  readonly setPage: (page: number) => void;
  readonly setPerPage: (perPage: number) => void;
  /** An empty value removes the filter; the list starts over at its first page. */
  readonly setFilter: (filter: Filter, value: string) => void;
  readonly clearFilters: () => void;
}

const defaultPerPage = 25;
const maxPerPage = 100;

export function useListState<Filter extends string>(names: readonly Filter[]): ListState<Filter> {
  const [params, setParams] = useSearchParams();
  const known = names.join(' ');

  const change = useCallback(
    (changes: Readonly<Record<string, string>>, replace: boolean) => {
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [name, value] of Object.entries(changes)) {
            if (value === '') after.delete(name);
            else after.set(name, value);
          }
          return after;
        },
        { replace, preventScrollReset: true },
      );
    },
    [setParams],
  );

  return useMemo(() => {
    const filters: Partial<Record<Filter, string>> = {};
    for (const name of known.split(' ') as Filter[]) {
      const value = params.get(name);
      if (value !== null && value !== '') filters[name] = value;
    }
    return {
      page: positive(params.get('page')) ?? 1,
      perPage: Math.min(positive(params.get('per_page')) ?? defaultPerPage, maxPerPage),
      filters,
      filtered: Object.keys(filters).length > 0,
      setPage: (page) => change({ page: page === 1 ? '' : String(page) }, false),
      setPerPage: (perPage) => change({ per_page: perPage === defaultPerPage ? '' : String(perPage), page: '' }, true),
      setFilter: (filter, value) => change({ [filter]: value, page: '' }, true),
      clearFilters: () => change({ ...Object.fromEntries(known.split(' ').map((name) => [name, ''])), page: '' }, true),
    };
  }, [params, known, change]);
}

function positive(text: string | null): number | undefined {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
