import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, pageOf, type Schemas } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';

export type Application = Schemas['Application'];
export type NewApplication = paths['/api/v1/applications']['post']['requestBody']['content']['application/json'];
export type Priority = NewApplication['priority'];

type ListQuery = NonNullable<paths['/api/v1/applications']['get']['parameters']['query']>;

export function applicationsQuery(query: ListQuery) {
  return queryOptions({
    queryKey: ['applications', 'list', query],
    queryFn: ({ signal }) => pageOf(api.GET('/api/v1/applications', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

/** Levels 0 (first) to 6 (last) are what daemons tell apart. */
export const priorityLevels = [0, 1, 2, 3, 4, 5, 6] as const;
