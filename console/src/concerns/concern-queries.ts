import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, dataOf, type Schemas } from '../api/client.ts';
import { useMay } from '../session/use-session.ts';

export type Concern = Schemas['Concern'];

export const concernsQuery = queryOptions({
  queryKey: ['concerns'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/concerns', { signal })),
  // Events say when there are others.
  staleTime: 0,
});

/** What somebody should look after; none for who may not know. */
export function useConcerns(): readonly Concern[] {
  const { data } = useQuery({ ...concernsQuery, enabled: useMay('concerns', 'read') });
  return data ?? [];
}

export function acknowledge(concerns: readonly Concern[], acknowledged: boolean): Promise<unknown> {
  const ids = concerns.map(({ id }) => id);
  return dataOf(api.POST('/api/v1/concerns/acknowledge', { body: { ids, acknowledged } }));
}
